"""What a person can switch in their preferences: names, addresses, what is fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from notifications import lookups
from notifications.lookups import CATEGORIES
from preferences.addresses import mask
from preferences.categories import categories
from preferences.channels import CHANNELS
from preferences.directory import resolve
from preferences.models import Recipient
from preferences.rules import CategoryRule, Person
from templates_app.locales import best_locale
from tenants.context import tenant_scope
from tenants.lookups import Value

_ENGLISH = "en"
_WITHOUT_ADDRESS = ("in_app", "push")


class ChannelChoice(BaseModel):
    """`address` is masked, empty where there is none to show. `suppressed`: why nothing can arrive there."""

    channel: str
    label: str
    is_reachable: bool
    address: str = ""
    suppressed: str = ""


class CategoryChoice(BaseModel):
    """`essential`: it comes whatever is switched off."""

    category: str
    label: str
    essential: bool
    channels: dict[str, bool] = Field(
        description="The channels that it may use, and whether it does where the recipient says nothing."
    )


class Choices(BaseModel):
    channels: list[ChannelChoice]
    categories: list[CategoryChoice]


def choices_of(recipient: Recipient, locale: str) -> Choices:
    """Labels are in the locale as far as they are known in it, categories in the order of their labels."""
    tenant_id, key = recipient.tenant_id, (recipient.type, recipient.external_id)
    person, rules = resolve(recipient.tenant, [key])[key], categories(tenant_id)
    with tenant_scope(tenant_id):
        called = _labels(lookups.values(tenant_id, "channels"), locale)
        names = _labels(lookups.values(tenant_id, CATEGORIES), locale)
    offered = [_category(rule, names.get(rule.code, rule.code)) for rule in rules.values()]
    return Choices(
        channels=[_channel(person, channel, called[channel]) for channel in CHANNELS],
        categories=sorted(offered, key=lambda choice: choice.label.casefold()),
    )


def _labels(values: Sequence[Value], locale: str) -> dict[str, str]:
    known: dict[str, Mapping[str, Any]] = {
        value.code: {_ENGLISH: value.label, **value.translations} for value in values
    }
    return {code: labels[best_locale(locale, _ENGLISH, labels) or _ENGLISH] for code, labels in known.items()}


def _channel(person: Person, channel: str, label: str) -> ChannelChoice:
    addresses = person.addresses.get(channel, ())
    reasons = [person.suppressed.get((channel, address), "") for address in addresses]
    shown = mask(channel, addresses[0]) if addresses and channel not in _WITHOUT_ADDRESS else ""
    return ChannelChoice(
        channel=channel,
        label=label,
        is_reachable=bool(addresses),
        address=shown,
        suppressed=reasons[0] if reasons and all(reasons) else "",
    )


def _category(rule: CategoryRule, label: str) -> CategoryChoice:
    allowed = CHANNELS if rule.channels is None else [one for one in CHANNELS if one in rule.channels]
    defaults = {channel: rule.defaults.get(channel, True) for channel in allowed}
    return CategoryChoice(category=rule.code, label=label, essential=rule.is_critical, channels=defaults)
