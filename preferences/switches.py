"""What a recipient has switched on and off: channels altogether, and within categories or templates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Q

from preferences import changes
from preferences.channels import CHANNELS
from preferences.models import Category, Preference, Recipient
from tenants.context import tenant_scope

_Level = Preference.Level

Place = tuple[str, str]
"""Where a switch is: a category's code, or nothing for all of them, and a channel."""
_Switch = tuple[str, str, str]
"""Where any switch is: its level, its key and its channel."""


@dataclass(frozen=True, slots=True)
class Switches:
    """`channels`: channel to on or off. The others: code to the same, for channels within it."""

    channels: Mapping[str, bool] = field(default_factory=dict)
    categories: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)

    def says(self, category: str, channel: str, *, default: bool = True) -> bool:
        """Whether the category comes by the channel; `default` is the category's, where nothing was said.

        As `rules` decides, but for what overrules every switch.
        """
        own = self.categories.get(category, {}).get(channel)
        return self.channels.get(channel, default) if own is None else own

    def all(self) -> Iterator[tuple[_Switch, bool]]:
        yield from (((_Level.CHANNEL, "", channel), on) for channel, on in self.channels.items())
        for level, by_key in ((_Level.CATEGORY, self.categories), (_Level.TEMPLATE, self.templates)):
            for key, by_channel in by_key.items():
                yield from (((level, key, channel), on) for channel, on in by_channel.items())


def read(recipient: Recipient) -> Switches:
    """Every channel as it stands, every category of the tenant, and every template that was spoken of."""
    with tenant_scope(recipient.tenant_id):
        codes = Category.objects.filter(tenant_id=recipient.tenant_id).order_by("code")
        categories: dict[str, Mapping[str, bool]] = {c: {} for c in codes.values_list("code", flat=True)}
        said = stored(recipient)
    return Switches(
        {**dict.fromkeys(CHANNELS, True), **said.channels}, {**categories, **said.categories}, said.templates
    )


def stored(recipient: Recipient) -> Switches:
    """The switches that there are, and nothing else."""
    channels: dict[str, bool] = {}
    by_level: dict[str, dict[str, dict[str, bool]]] = {_Level.CATEGORY: {}, _Level.TEMPLATE: {}}
    with tenant_scope(recipient.tenant_id):
        for (level, key, channel), on in _rows(recipient).items():
            of = channels if level == _Level.CHANNEL else by_level[level].setdefault(key, {})
            of[channel] = on
    return Switches(channels, by_level[_Level.CATEGORY], by_level[_Level.TEMPLATE])


def replace(recipient: Recipient, switches: Switches) -> None:
    """These and no others. The recipient's row is locked, so that of two at once one is wholly the last."""
    with tenant_scope(recipient.tenant_id):
        _write(recipient, _hold(recipient), dict(switches.all()))


def change(
    recipient: Recipient, wanted: Mapping[Place, bool | None], *, unset_templates: Collection[Place] = ()
) -> None:
    """Set these switches and leave the others; None takes one away, so that the next wider one counts.

    `unset_templates` are switches of templates that are to be taken away as well.
    """
    places: dict[_Switch, bool | None] = {
        (_Level.CATEGORY if key else _Level.CHANNEL, key, channel): on
        for (key, channel), on in wanted.items()
    }
    places |= {(_Level.TEMPLATE, *place): None for place in unset_templates}
    with tenant_scope(recipient.tenant_id):
        before = _hold(recipient)
        kept = {place: on for place, on in before.items() if place not in places}
        given = {place: on for place, on in places.items() if on is not None}
        _write(recipient, before, kept | given)


def set_channel(recipient: Recipient, channel: str, *, enabled: bool) -> None:
    change(recipient, {("", channel): enabled})


def _hold(recipient: Recipient) -> dict[_Switch, bool]:
    """The switches, which are the caller's until the transaction ends."""
    Recipient.objects.select_for_update().filter(pk=recipient.pk).first()
    return _rows(recipient)


def _rows(recipient: Recipient) -> dict[_Switch, bool]:
    rows = Preference.objects.filter(tenant_id=recipient.tenant_id, recipient=recipient)
    found = rows.order_by("key", "channel").values_list("level", "key", "channel", "enabled")
    return {(level, key, channel): on for level, key, channel, on in found}


def _write(recipient: Recipient, before: Mapping[_Switch, bool], after: Mapping[_Switch, bool]) -> None:
    """What has changed; where nothing has, nothing is written, and nobody told."""
    fresh = {place: on for place, on in after.items() if before.get(place) is not on}
    gone = [place for place in before if place not in after or place in fresh]
    if not (fresh or gone):
        return
    named = Q(pk__in=[])
    for level, key, channel in gone:
        named |= Q(level=level, key=key, channel=channel)
    Preference.objects.filter(named, tenant_id=recipient.tenant_id, recipient=recipient).delete()
    Preference.objects.bulk_create(_row(recipient, place, on) for place, on in fresh.items())
    changes.of_recipients(recipient.tenant_id, [recipient.pk])


def _row(recipient: Recipient, place: _Switch, on: bool) -> Preference:
    level, key, channel = place
    return Preference(
        tenant_id=recipient.tenant_id, recipient=recipient, level=level, key=key, channel=channel, enabled=on
    )
