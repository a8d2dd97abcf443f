"""What becomes of a notification: its legs, or why there are none. Values in, a plan and its reasons out."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from delivery.consent import step
from delivery.siblings import RING_TOGETHER
from notifications.models import NotificationStatus
from preferences.rules import NO_POLICY, CategoryRule, Circumstances, Decision, Hold, Person, Policy
from preferences.rules import decide as decide_channel
from preferences.rules.presence import AWAY, Presence, heed, put_off
from tenants.channels import Plain, Wanted, bare, read

Route = tuple[str, str]
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """A leg to be: its routes, the first used first, and the seconds that one has before the next.

    With a `hold` its first route waits for a time. Whoever tells together what waits for the same moment
    finds in `hold.digest` whether the person wants that. `conditions`, by channel, are asked again whenever a
    route is about to be used.
    """

    routes: list[Route]
    within: int | None = None
    hold: Hold | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a notification: its legs, its status, and every decision.

    `places` are what it was given under frequency caps, each a `recipient_id`, a `scope` and an `at`.
    """

    legs: list[Chain]
    status: NotificationStatus
    reason: str
    trace: list[Step]
    digest_id: UUID | None = None
    places: Sequence[Step] | None = None

    @property
    def is_held(self) -> bool:
        return any(leg.hold is not None for leg in self.legs)


@dataclass(frozen=True, slots=True)
class House:
    """What the tenant decides for all: its policy, and its chains for channels that are named alone."""

    policy: Policy = NO_POLICY
    fallback: Mapping[str, Plain] = field(default_factory=dict)


NO_HOUSE = House()


@dataclass(frozen=True, slots=True)
class Wording:
    """With what it is told: a template's code, empty where there is none, and the channels that it has words
    for, None where they fit all.
    """

    template: str = ""
    channels: Collection[str] | None = None


ANY_WORDING = Wording()


def decide(
    channels: Sequence[Plain],
    person: Person | None,
    category: CategoryRule | None,
    at: Circumstances,
    *,
    house: House = NO_HOUSE,
    wording: Wording = ANY_WORDING,
    presence: Presence = AWAY,
) -> Plan:
    """The plan for one notification. A failover chain is one leg; a channel with two addresses is two.

    The tenant's chains are for channels that are named alone; a list, even of one, is taken as it is. Routes
    that open only after the deadline are left out; a chain waits for the first of the others. Of a chain's
    conditions those are asked here that stand before the first route that may be used, and that one's own.
    """
    if at.deadline is not None and at.deadline <= at.now:
        return _ended(NotificationStatus.EXPIRED, "expired", at.now)
    if person is None:
        return _ended(NotificationStatus.FAILED, "recipient_unknown", at.now)
    if category is None:
        return _ended(NotificationStatus.FAILED, "category_unknown", at.now)
    asking = _Asking(person, category, at, house, wording, presence)
    legs: list[Chain] = []
    trace: list[Step] = []
    for entry in channels:
        wanted = asking.read(entry, trace)
        decisions = asking.decide_all(wanted)
        trace += (step(decision, "plan", at.now) for decision in decisions)
        allowed = [decision for decision in decisions if decision.allowed]
        trace += _together(wanted, allowed, at.now)
        legs += _legs(wanted, allowed)
    if legs:
        return Plan(legs, NotificationStatus.PROCESSING, "", trace)
    return Plan([], *_nowhere(trace), trace)


@dataclass(frozen=True, slots=True)
class _Asking:
    person: Person
    category: CategoryRule
    at: Circumstances
    house: House
    wording: Wording
    presence: Presence

    def read(self, entry: Plain, trace: list[Step]) -> Wanted:
        """The entry, or what the tenant has in its place."""
        alone = bare(entry)
        if alone is None or alone not in self.house.fallback:
            return read(entry)
        wanted = read(self.house.fallback[alone]).only_if(read(entry).conditions.get(alone))
        trace.append(_plan_step(alone, str(wanted), "tenant_fallback", self.at.now))
        return wanted

    def decide_all(self, wanted: Wanted) -> list[Decision]:
        """About each address of each channel. In a chain, conditions of what may get a turn later wait."""
        decisions: list[Decision] = []
        for channel in wanted.chain:
            condition = wanted.conditions.get(channel)
            is_first = wanted.is_bare or not any(made.allowed for made in decisions)
            decisions += (
                heed(made, condition, self.presence) if is_first else put_off(made, condition)
                for made in self.decide(channel)
            )
        return decisions

    def decide(self, channel: str) -> list[Decision]:
        if self.wording.channels is not None and channel not in self.wording.channels:
            return [Decision(channel, "", False, "no_content")]
        return decide_channel(
            self.person,
            channel,
            self.category,
            template=self.wording.template,
            policy=self.house.policy,
            asked=self.at,
        )


def _legs(wanted: Wanted, allowed: Sequence[Decision]) -> list[Chain]:
    if wanted.is_bare:
        return [
            Chain([(made.channel, made.address)], hold=made.hold, conditions=wanted.conditions)
            for made in allowed
        ]
    routes = [(made.channel, made.address) for made in allowed]
    return [Chain(routes, wanted.within, allowed[0].hold, wanted.conditions)] if allowed else []


def _together(wanted: Wanted, allowed: Sequence[Decision], now: dt.datetime) -> list[Step]:
    """Of a chain: where it reaches several addresses at once."""
    ringing = (made.channel for made in allowed if made.channel in RING_TOGETHER and not wanted.is_bare)
    counts = Counter(ringing)
    return [_plan_step(c, "ring_together", "all_devices", now) for c, number in counts.items() if number > 1]


def _ended(status: NotificationStatus, reason: str, now: dt.datetime) -> Plan:
    return Plan(
        [], status, reason, [{"at": at_text(now), "step": "plan", "decision": status.value, "reason": reason}]
    )


def _nowhere(trace: Sequence[Step]) -> tuple[NotificationStatus, str]:
    """Too late where it was held, unwanted where an address was held back; else there was none at all."""
    if late := [said["reason"] for said in trace if said["decision"] == "expire"]:
        return NotificationStatus.EXPIRED, late[0]
    reasons = [said["reason"] for said in trace if said["decision"] == "skip"]
    if unwanted := [reason for reason in reasons if reason not in _LACKING]:
        return NotificationStatus.SUPPRESSED, unwanted[0]
    return NotificationStatus.FAILED, "no_address" if "no_address" in reasons else "no_content"


_LACKING = {"no_address", "no_content"}


def _plan_step(channel: str, decision: str, reason: str, now: dt.datetime) -> Step:
    return {
        "at": at_text(now),
        "step": "plan",
        "channel": channel,
        "address": "",
        "decision": decision,
        "reason": reason,
    }


def at_text(now: dt.datetime) -> str:
    return now.isoformat().replace("+00:00", "Z")
