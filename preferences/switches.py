"""What a recipient has switched on and off: channels altogether, and channels within categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Q

from preferences.channels import CHANNELS
from preferences.models import Category, Preference, Recipient
from tenants.context import tenant_scope

_Level = Preference.Level

Place = tuple[str, str]
"""Where a switch is: a category's code, or nothing for all of them, and a channel."""


@dataclass(frozen=True, slots=True)
class Switches:
    """`channels`: channel to on or off. `categories`: code to the same, for channels within it."""

    channels: Mapping[str, bool] = field(default_factory=dict)
    categories: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)


def read(recipient: Recipient) -> Switches:
    """Every channel as it stands, and every category of the tenant with what was set for it."""
    channels = dict.fromkeys(CHANNELS, True)
    with tenant_scope(recipient.tenant_id):
        codes = (
            Category.objects.filter(tenant_id=recipient.tenant_id)
            .order_by("code")
            .values_list("code", flat=True)
        )
        categories: dict[str, dict[str, bool]] = {code: {} for code in codes}
        for switch in Preference.objects.filter(tenant_id=recipient.tenant_id, recipient=recipient):
            on = channels if switch.level == _Level.CHANNEL else categories.setdefault(switch.key, {})
            on[switch.channel] = switch.enabled
    return Switches(channels, categories)


def replace(recipient: Recipient, switches: Switches) -> None:
    """These and no others. The recipient's row is locked, so that of two at once one is wholly the last."""
    rows = [_switch(recipient, "", channel, enabled) for channel, enabled in switches.channels.items()]
    for code, channels in switches.categories.items():
        rows += [_switch(recipient, code, channel, enabled) for channel, enabled in channels.items()]
    with tenant_scope(recipient.tenant_id):
        Recipient.objects.select_for_update().filter(pk=recipient.pk).first()
        Preference.objects.filter(tenant_id=recipient.tenant_id, recipient=recipient).delete()
        Preference.objects.bulk_create(rows)


def change(recipient: Recipient, wanted: Mapping[Place, bool | None]) -> None:
    """Set these switches and leave the others; None takes one away, so that the next wider one counts."""
    if not wanted:
        return
    named = Q()
    for category, channel in wanted:
        named |= Q(key=category, channel=channel)
    rows = [_switch(recipient, *place, on) for place, on in wanted.items() if on is not None]
    with tenant_scope(recipient.tenant_id):
        Recipient.objects.select_for_update().filter(pk=recipient.pk).first()
        Preference.objects.filter(named, tenant_id=recipient.tenant_id, recipient=recipient).delete()
        Preference.objects.bulk_create(rows)


def set_channel(recipient: Recipient, channel: str, *, enabled: bool) -> None:
    with tenant_scope(recipient.tenant_id):
        Preference.objects.update_or_create(
            tenant_id=recipient.tenant_id,
            recipient=recipient,
            level=_Level.CHANNEL,
            key="",
            channel=channel,
            defaults={"enabled": enabled},
        )


def _switch(recipient: Recipient, category: str, channel: str, enabled: bool) -> Preference:
    return Preference(
        tenant_id=recipient.tenant_id,
        recipient=recipient,
        level=_Level.CATEGORY if category else _Level.CHANNEL,
        key=category,
        channel=channel,
        enabled=enabled,
    )
