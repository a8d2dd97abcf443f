"""What a person's preference page shows, and what of it they changed. Pure, but for `sheet_of`.

A box shows whether something comes by a channel as things stand: of a category that nothing was said about it
is what the channel's own box says. The form brings back what was shown, so that only what the person changed
is written: two pages that are open at once, or an app, do not undo each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifications.hosted.words import Text, category_name, channel_name
from preferences import switches
from preferences.addresses import mask
from preferences.categories import categories, names
from preferences.channels import CHANNELS
from preferences.directory import resolve
from preferences.models import Recipient
from preferences.rules import Person
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
    boxes: Sequence[Box]


@dataclass(frozen=True, slots=True)
class Sheet:
    channels: Sequence[Box]
    optional: Sequence[Group]
    essential: Sequence[Group]

    @property
    def boxes(self) -> Iterator[Box]:
        """All that can be changed."""
        yield from (box for box in self.channels if not box.is_fixed)
        for group in self.optional:
            yield from group.boxes


def sheet_of(recipient: Recipient) -> Sheet:
    rules, called = categories(recipient.tenant_id), names(recipient.tenant_id)
    critical = {code for code, rule in rules.items() if rule.is_critical}
    return laid_out(person_of(recipient), switches.read(recipient), called, critical)


def person_of(recipient: Recipient) -> Person:
    key = (recipient.type, recipient.external_id)
    return resolve(recipient.tenant, [key])[key]


def laid_out(person: Person, said: Switches, called: Mapping[str, str], critical: Collection[str]) -> Sheet:
    """`called`: the categories by code. Shown are the channels that reach the person."""
    channels = [_channel(person, channel, said) for channel in CHANNELS if person.addresses.get(channel)]
    by_name = sorted(called.items(), key=lambda item: item[1].casefold())
    return Sheet(
        channels,
        [_group(code, name, channels, said) for code, name in by_name if code not in critical],
        [Group(category_name(name), []) for code, name in by_name if code in critical],
    )


def _channel(person: Person, channel: str, said: Switches) -> Box:
    addresses = person.addresses[channel]
    reasons = [person.suppressed.get((channel, address), "") for address in addresses]
    blocked = reasons[0] if all(reasons) else ""
    hint = mask(channel, addresses[0]) if channel not in {"in_app", "push"} else ""
    return Box(("", channel), channel_name(channel), said.channels[channel] and not blocked, hint, blocked)


def _group(code: str, name: str, channels: Sequence[Box], said: Switches) -> Group:
    own = said.categories.get(code, {})
    boxes = []
    for box in channels:
        channel = box.place[1]
        is_on = own.get(channel, said.channels[channel]) and not box.blocked
        if not box.is_fixed:
            boxes.append(Box((code, channel), box.label, is_on))
    return Group(category_name(name), boxes)


def changed(
    sheet: Sheet, shown: Collection[str], was_on: Collection[str], on: Collection[str]
) -> dict[Place, bool]:
    """What the person switched, by the names of boxes: those shown, those that were on, those that are."""
    return {
        box.place: box.name in on
        for box in sheet.boxes
        if box.name in shown and (box.name in on) is not (box.name in was_on)
    }


def settled(wanted: Mapping[Place, bool], said: Switches) -> dict[Place, bool | None]:
    """As switches: a category that agrees with its channel has none, and follows it from then on."""
    channels = {**said.channels, **{place[1]: on for place, on in wanted.items() if not place[0]}}
    return {place: None if place[0] and on is channels[place[1]] else on for place, on in wanted.items()}


def nothing_but_essential(said: Switches) -> dict[Place, bool | None]:
    """Every channel off, and no category left that is an exception from it."""
    kept = {
        (code, channel): None
        for code, by_channel in said.categories.items()
        for channel, on in by_channel.items()
        if on
    }
    return {**{("", channel): False for channel in said.channels}, **kept}
