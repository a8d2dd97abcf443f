"""When what was planned goes: now, when a frequency cap has room, or together with others.

First it is asked what is told with others anyway, for that takes no place under a cap until it is told. Then
places are given to the rest, and last all digests are joined: three statements at most, and in this order, so
that no two chunks wait for each other's locks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from notifications import capping, caps, digests
from notifications.capping import Sending
from notifications.caps import Cap, Capped, Verdict
from notifications.digests import Event, Gathered, Joining
from notifications.models import NotificationStatus
from notifications.plans import Chain, Plan, Step, at_text
from preferences.policies import policy_of
from preferences.rules import CategoryRule, Circumstances, Hold, Person, Policy
from preferences.rules.holding import hold
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Case:
    """A notification whose plan is made. `event` is it as something that may be told with others."""

    id: UUID
    plan: Plan
    person: Person
    category: CategoryRule
    at: Circumstances
    event: Event | None
    is_test: bool

    def hold(self, policy: Policy, channel: str, at: dt.datetime) -> Hold | None:
        return hold(self.person, channel, self.category, policy, replace(self.at, now=at))

    @property
    def held_until(self) -> dt.datetime | None:
        """Until when all of it waits, if that is to be told together."""
        holds = [leg.hold for leg in self.plan.legs]
        if not holds or any(held is None or not held.digest for held in holds):
            return None
        return min(held.until for held in holds if held is not None)


def settle(tenant: Tenant, cases: Sequence[Case], *, now: dt.datetime) -> dict[UUID, Plan]:
    """The plan of each, by its id. Inside the tenant's scope; call it once a transaction."""
    plans = {case.id: case.plan for case in cases}
    joining = {
        case.id: digests.decide(case.event, now=now, held_until=case.held_until)
        for case in cases
        if case.event is not None
    }
    going = [case for case in cases if case.plan.legs and not _joins(joining.get(case.id))]
    for case, found in _capped(tenant, going, joining, now):
        plans[case.id] = _within_caps(tenant, case, found, now)
        if found.together is not None:
            joining[case.id] = Joining(found.together.at, found.together.reason)
    wishes = [(case.event, joining[case.id]) for case in cases if case.event is not None]
    gathered = digests.gather(tenant.pk, wishes, now=now)
    return {id: _told(plan, gathered.get(id), now) for id, plan in plans.items()}


def _joins(joining: Joining | None) -> bool:
    return joining is not None and joining.closes_at is not None


def _capped(
    tenant: Tenant, cases: Sequence[Case], joining: Mapping[UUID, Joining], now: dt.datetime
) -> Iterator[tuple[Case, Capped]]:
    """What caps leave of those that have any."""
    then: caps.Then = tenant.frequency_then  # type: ignore[assignment]  # one of its choices
    of_all, policy = caps.read(tenant.frequency, then), policy_of(tenant)
    limited = {}
    for case in cases:
        own = caps.read(case.person.frequency, then)
        of_category = caps.read(case.category.frequency, then, of_category=True)
        held = [*of_all, *of_category, *own]
        if held and case.person.id is not None:
            may_join = case.id in joining and joining[case.id].reason == digests.NOT_HELD
            limited[case.id] = _sending(tenant, policy, case, held if may_join else _defer(held), now)
    found = capping.apply(tenant.pk, list(limited.values()), now=now)
    return ((case, found[case.id]) for case in cases if case.id in limited)


def _defer(held: Sequence[Cap]) -> list[Cap]:
    """What cannot be told with others goes by itself when there is room."""
    return [replace(cap, then="defer") if cap.then == "digest" else cap for cap in held]


def _sending(tenant: Tenant, policy: Policy, case: Case, held: Sequence[Cap], now: dt.datetime) -> Sending:
    assert case.person.id is not None
    chains = [list(dict.fromkeys(channel for channel, _ in leg.routes)) for leg in case.plan.legs]
    opens = partial(_opens, policy, case)
    return Sending(
        case.id,
        case.person.id,
        case.category.code,
        chains,
        held,
        starts={name: opens(name, now) for chain in chains for name in chain},
        opens=opens,
        deadline=case.at.deadline,
        is_spared=(case.at.is_urgent and tenant.frequency_lets_urgent_pass)
        or (case.category.is_critical and tenant.frequency_lets_critical_pass),
        is_test=case.is_test,
    )


def _opens(policy: Policy, case: Case, channel: str, at: dt.datetime) -> dt.datetime:
    held = case.hold(policy, channel, at)
    return at if held is None else held.until


def _within_caps(tenant: Tenant, case: Case, found: Capped, now: dt.datetime) -> Plan:
    """The plan with what is left of its legs, and why."""
    legs = [
        _leg(tenant, case, chain, name, found.channels[name], now)
        for chain, name in zip(case.plan.legs, found.legs, strict=True)
        if name is not None
    ]
    steps = [
        _step(case, name, verdict, is_used=name in found.legs, now=now)
        for name, verdict in found.channels.items()
        if verdict.cap is not None
    ]
    trace = [*case.plan.trace, *steps]
    if legs:
        return replace(case.plan, legs=legs, trace=trace, places=list(_places(case, found)))
    late = [step for step in steps if step["decision"] == "expire"]
    status = NotificationStatus.EXPIRED if late else NotificationStatus.SUPPRESSED
    return Plan([], status, (late or steps)[0]["reason"], trace)


def _places(case: Case, found: Capped) -> Iterator[Step]:
    for scope, at in found.taken:
        yield {"recipient_id": case.person.id, "scope": scope, "at": at}


def _leg(tenant: Tenant, case: Case, chain: Chain, name: str, verdict: Verdict, now: dt.datetime) -> Chain:
    """It begins with the channel that has room; those before it have none."""
    first = next(place for place, (channel, _) in enumerate(chain.routes) if channel == name)
    if verdict.cap is not None:
        held: Hold | None = Hold(verdict.at, verdict.at, verdict.reason)
    else:
        held = chain.hold if first == 0 else case.hold(policy_of(tenant), name, now)
    return replace(chain, routes=chain.routes[first:], hold=held)


def _step(case: Case, channel: str, verdict: Verdict, *, is_used: bool, now: dt.datetime) -> Step:
    is_late = case.at.deadline is not None and verdict.then == "defer" and verdict.at >= case.at.deadline
    step = {
        "at": at_text(now),
        "step": "plan",
        "channel": channel,
        "address": "",
        "decision": "hold" if is_used else "expire" if is_late else "skip",
        "reason": verdict.reason,
    }
    return step | {"until": at_text(verdict.at)} if is_used else step


def _told(made: Plan, gathered: Gathered | None, now: dt.datetime) -> Plan:
    """The plan, but of what joins a digest: what becomes of that is decided when it closes."""
    if gathered is None:
        return made
    step: dict[str, Any] = {
        "at": at_text(now),
        "step": "digest",
        "decision": "at_once",
        "reason": gathered.reason,
    }
    if gathered.digest_id is None:
        return replace(made, trace=[step, *made.trace])
    reason = f"digest:{gathered.digest_id}"
    why = [said for said in made.trace if said["reason"] == gathered.reason or said["decision"] == "hold"]
    trace = [*why, step | {"decision": "join", "reason": reason}]
    return Plan([], NotificationStatus.PROCESSING, reason, trace, gathered.digest_id)
