"""The switches of a person's preference page, and what of them they changed. Pure, but for `sheet_of`.

A box shows whether something comes by a channel as things stand: of a category that nothing was said about it
is what the channel's own box says. The form brings back what was shown, so that only what the person changed
is written: two pages that are open at once, or an app, do not undo each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifications.hosted.words import Text, category_name, channel_name
from preferences import switches
from preferences.addresses import mask
from preferences.categories import categories, names
from preferences.channels import CHANNELS
from preferences.directory import resolve
from preferences.models import Recipient
from preferences.rules import CategoryRule, Person
from preferences.switches import Place, Switches

_FOR_GOOD = {"complained", "manual"}
"""Why an address is suppressed that no switch lifts: another's word, or the person's own to others."""


@dataclass(frozen=True, slots=True)
class Box:
    """A switch. `hint` is the address, masked; `blocked` is why no message can come, empty where it can."""

    place: Place
    label: Text
    is_on: bool
    hint: str = ""
    blocked: str = ""

    @property
    def is_fixed(self) -> bool:
        return self.blocked in _FOR_GOOD

    @property
    def name(self) -> str:
        """In the form: the category, or nothing for all of them, and the channel."""
        return ":".join(self.place)


@dataclass(frozen=True, slots=True)
class Group:
    """A category, with a box for each channel; none where it cannot be switched off."""

    name: Text
    boxes: Sequence[Box] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    channels: Sequence[Box]
    optional: Sequence[Group]
    essential: Sequence[Group]

    @property
    def boxes(self) -> Iterator[tuple[Text, Box]]:
        """All that can be changed, with the name of its category."""
        yield from (("", box) for box in self.channels if not box.is_fixed)
        for group in self.optional:
            yield from ((group.name, box) for box in group.boxes)


def sheet_of(recipient: Recipient) -> Sheet:
    rules, called = categories(recipient.tenant_id), names(recipient.tenant_id)
    return laid_out(person_of(recipient), switches.stored(recipient), called, rules)


def person_of(recipient: Recipient) -> Person:
    key = (recipient.type, recipient.external_id)
    return resolve(recipient.tenant, [key])[key]


def laid_out(
    person: Person, said: Switches, called: Mapping[str, str], rules: Mapping[str, CategoryRule]
) -> Sheet:
    """`called`: the categories' names by code. Shown are the channels that reach the person."""
    channels = [_channel(person, channel, said) for channel in CHANNELS if person.addresses.get(channel)]
    in_order = sorted(rules.values(), key=lambda rule: called.get(rule.code, rule.code).casefold())
    groups = [
        (rule, Group(category_name(called.get(rule.code, rule.code)), _boxes(rule, channels, said)))
        for rule in in_order
    ]
    return Sheet(
        channels,
        [group for rule, group in groups if group.boxes and not rule.is_critical],
        [group for rule, group in groups if rule.is_critical],
    )


def _channel(person: Person, channel: str, said: Switches) -> Box:
    addresses = person.addresses[channel]
    reasons = [person.suppressed.get((channel, address), "") for address in addresses]
    blocked = reasons[0] if all(reasons) else ""
    hint = mask(channel, addresses[0]) if channel not in {"in_app", "push"} else ""
    is_on = said.channels.get(channel, True) and not blocked
    return Box(("", channel), channel_name(channel), is_on, hint, blocked)


def _boxes(rule: CategoryRule, channels: Sequence[Box], said: Switches) -> list[Box]:
    boxes = []
    for box in channels:
        channel = box.place[1]
        if not box.is_fixed and (rule.channels is None or channel in rule.channels):
            is_on = said.says(rule.code, channel, default=rule.defaults.get(channel, True))
            boxes.append(Box((rule.code, channel), box.label, is_on and not box.blocked))
    return boxes


def changed(
    sheet: Sheet, shown: Collection[str], was_on: Collection[str], on: Collection[str]
) -> dict[Place, bool]:
    """What the person switched, by the names of boxes: those shown, those that were on, those that are."""
    return {
        box.place: box.name in on
        for _, box in sheet.boxes
        if box.name in shown and (box.name in on) is not (box.name in was_on)
    }


def patch_of(
    wanted: Mapping[Place, bool], said: Switches, rules: Mapping[str, CategoryRule]
) -> dict[str, Any]:
    """As a change of preferences. A channel that is on has no switch, so that no category is overruled by it.

    Nor has a category that agrees with its channel: it follows it from then on.
    """
    channels = {channel: None if on else False for (category, channel), on in wanted.items() if not category}
    after = {channel: on for channel, on in {**said.channels, **channels}.items() if on is not None}
    by_category: dict[str, dict[str, bool | None]] = {}
    for (category, channel), on in wanted.items():
        if category:
            comes_anyway = after.get(channel, rules[category].defaults.get(channel, True))
            by_category.setdefault(category, {})[channel] = None if on is comes_anyway else on
    return {"channels": channels, "categories": by_category}


def nothing_but_essential(said: Switches) -> Switches:
    """Every channel off, and no category or template left that is an exception from it."""
    return Switches(
        dict.fromkeys(CHANNELS, False),
        _without_exceptions(said.categories),
        _without_exceptions(said.templates),
    )


def _without_exceptions(switches: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, bool]]:
    return {
        code: {channel: on for channel, on in by_channel.items() if not on}
        for code, by_channel in switches.items()
    }
