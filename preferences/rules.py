"""Whether a person wants to hear of something by a channel, and why: values in, values out.

The most particular word wins, in this order:

1. suppression: the address bounced, complained, opted out. Nothing gets past it;
2. the category is critical: it goes out whatever the person prefers;
3. the person's switch for the category on this channel;
4. the person's switch for the channel;
5. on, when nobody said anything.

Reasons are part of the API, for they stand in a notification's trace: `allowed`, `critical`, `category_on`,
`channel_on` let through; `no_address`, `suppressed:<why>`, `category_off`, `channel_off` hold back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Person:
    """What the directory knows of a recipient.

    `addresses` holds a channel's addresses: device tokens for push, the recipient's own id for in_app, the
    phone number for both sms and whatsapp. `locale` and `timezone` are never empty: the tenant's stand in.
    """

    id: UUID | None  # None for a person described in the request and not stored
    external_id: str
    type: str
    addresses: Mapping[str, tuple[str, ...]]
    locale: str
    timezone: str
    channels: Mapping[str, bool]
    categories: Mapping[tuple[str, str], bool]  # (category, channel)
    suppressed: Mapping[tuple[str, str], str]  # (channel, address): reason


@dataclass(frozen=True, slots=True)
class CategoryRule:
    code: str
    is_critical: bool
    unknown_policy: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`address` is empty when the person has none on the channel."""

    channel: str
    address: str
    allowed: bool
    reason: str


def decide(person: Person, channel: str, category: CategoryRule) -> list[Decision]:
    """A decision for each of the person's addresses on the channel, or one that says `no_address`."""
    addresses = person.addresses.get(channel, ())
    if not addresses:
        return [Decision(channel, "", False, "no_address")]
    allowed, reason = _preferred(person, channel, category)
    return [_of_address(person, channel, address, allowed, reason) for address in addresses]


def _of_address(person: Person, channel: str, address: str, allowed: bool, reason: str) -> Decision:
    if why := person.suppressed.get((channel, address)):
        return Decision(channel, address, False, f"suppressed:{why}")
    return Decision(channel, address, allowed, reason)


def _preferred(person: Person, channel: str, category: CategoryRule) -> tuple[bool, str]:
    if category.is_critical:
        return True, "critical"
    for level, switch in (
        ("category", person.categories.get((category.code, channel))),
        ("channel", person.channels.get(channel)),
    ):
        if switch is not None:
            return switch, f"{level}_{'on' if switch else 'off'}"
    return True, "allowed"
