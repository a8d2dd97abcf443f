"""What decisions are made from, and what they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from preferences.rules.times import Window

Switch = tuple[str, str]
"""A category's or a template's code, and a channel."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Windows of somebody's week in which nothing rings.

    `timezone` is empty where they keep to the person's own; `digest` None where that is the tenant's choice.
    """

    windows: tuple[Window, ...]
    timezone: str = ""
    digest: bool | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What the directory knows of a recipient.

    `addresses` holds a channel's addresses: device tokens for push, the recipient's own id for in_app, the
    phone number for both sms and whatsapp. `locale` and `timezone` are never empty: the tenant's stand in.
    `block` is why the tenant sends them nothing, and empty where it does. `version` counts the changes of all
    this that decisions hang on. `frequency`: their own caps, as they are written.
    """

    id: UUID | None  # None for a person described in the request and not stored
    external_id: str
    type: str
    addresses: Mapping[str, tuple[str, ...]]
    locale: str
    timezone: str
    channels: Mapping[str, bool]
    categories: Mapping[Switch, bool]
    suppressed: Mapping[tuple[str, str], str]  # (channel, address): reason
    templates: Mapping[Switch, bool] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    do_not_disturb_until: dt.datetime | None = None
    block: str = ""
    version: int = 0
    frequency: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """A kind of thing that the tenant notifies of.

    `channels`: those that it may use, None: all. `defaults`: by channel, whether it is on where the person
    says nothing. `hours`: when it may be sent by the person's clock, None: always. `block` as a person's.
    """

    code: str
    is_critical: bool
    unknown_policy: str
    is_transactional: bool = False
    channels: frozenset[str] | None = None
    defaults: Mapping[str, bool] = field(default_factory=dict)
    hours: tuple[Window, ...] | None = None
    skips_holidays: bool = False
    block: str = ""
    frequency: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the tenant decides about all of its recipients.

    `spread` is the seconds over which a release is spread. `holidays` are dates, `2027-03-26`, and days of
    each year, `12-25`. `version` counts its changes, and those of its categories.
    """

    urgent_passes: bool = True
    critical_passes: bool = True
    holds_in_app: bool = False
    digest: bool = False
    spread: int = 0
    holidays: frozenset[str] = frozenset()
    blocked_channels: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is to be told, and as of when: without them only whether is decided.

    `jitter` in [0, 1) places the release within the tenant's spread.
    """

    now: dt.datetime
    is_urgent: bool = False
    deadline: dt.datetime | None = None
    jitter: float = 0.0


class Hold(NamedTuple):
    """Waiting: `opens_at` is the first moment at which nothing holds it, `until` the one at which it leaves.

    `digest`: the person, or else the tenant, wants what waits for the same moment told together.
    """

    opens_at: dt.datetime
    until: dt.datetime
    reason: str
    digest: bool = False


class Decision(NamedTuple):
    """`address` is empty when the person has none on the channel.

    With a `hold` and allowed it waits; with a hold and not allowed its deadline comes first. `since` when the
    recipient has been online, where that decided.
    """

    channel: str
    address: str
    allowed: bool
    reason: str
    hold: Hold | None = None
    since: dt.datetime | None = None
