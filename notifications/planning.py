"""From a notification to its deliveries: whom it reaches, by which routes, or why not. A chunk at a time.

`decide` is pure. `plan` reads what it needs in a handful of queries, and stores deliveries, statuses and
trace in the transaction that took the notifications, so a plan is made once or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from delivery import queue
from delivery.queue import NewDelivery
from delivery.siblings import RING_TOGETHER, ring_together
from notifications import digests
from notifications.badges import with_badges
from notifications.models import NotificationStatus
from preferences.addresses import RecipientFields, mask
from preferences.categories import categories
from preferences.directory import once_many, resolve
from preferences.rules import CategoryRule, Decision, Person
from preferences.rules import decide as decide_channel
from templates_app.catalog import content_channels
from tenants.bulk import recordset, uuid_array
from tenants.channels import Plain, Wanted, read
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant

Route = tuple[str, str]
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """A leg to be: its routes, the first used first, and the seconds that one has before the next."""

    routes: list[Route]
    within: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a notification: its legs, its status, and every decision."""

    legs: list[Chain]
    status: NotificationStatus
    reason: str
    trace: list[Step]
    digest_id: UUID | None = None


def decide(
    channels: Sequence[Plain],
    person: Person | None,
    category: CategoryRule | None,
    *,
    expires_at: dt.datetime | None,
    now: dt.datetime,
    fallback: Mapping[str, Plain] | None = None,
    content: Collection[str] | None = None,
) -> Plan:
    """The plan for one notification. A failover chain is one leg; a channel with two addresses is two.

    `fallback` holds the tenant's chains for channels that are named alone; a list, even of one, is taken as
    it is. `content` are the channels that there are words for, None where the words fit all.
    """
    if expires_at is not None and expires_at <= now:
        return _ended(NotificationStatus.EXPIRED, "expired", now)
    if person is None:
        return _ended(NotificationStatus.FAILED, "recipient_unknown", now)
    if category is None:
        return _ended(NotificationStatus.FAILED, "category_unknown", now)
    legs: list[Chain] = []
    trace: list[Step] = []
    for entry in channels:
        wanted = read(entry)
        if fallback and isinstance(entry, str) and entry in fallback:
            wanted = read(fallback[entry])
            trace.append(_plan_step(entry, "", str(wanted), "tenant_fallback", now))
        decisions = [d for channel in wanted.chain for d in _decisions(person, channel, category, content)]
        trace += (_step(decision, now) for decision in decisions)
        routes = [(d.channel, d.address) for d in decisions if d.allowed]
        trace += _together(wanted, routes, now)
        legs += _legs(wanted, routes)
    if legs:
        return Plan(legs, NotificationStatus.PROCESSING, "", trace)
    return Plan([], *_nowhere(trace), trace)


def _decisions(
    person: Person, channel: str, category: CategoryRule, content: Collection[str] | None
) -> list[Decision]:
    if content is not None and channel not in content:
        return [Decision(channel, "", False, "no_content")]
    return decide_channel(person, channel, category)


def _legs(wanted: Wanted, routes: list[Route]) -> list[Chain]:
    if wanted.is_bare:
        return [Chain([route]) for route in routes]
    return [Chain(routes, wanted.within)] if routes else []


def _together(wanted: Wanted, routes: Sequence[Route], now: dt.datetime) -> list[Step]:
    """Of a chain: where it reaches several addresses at once."""
    counts = Counter(channel for channel, _ in routes if channel in RING_TOGETHER and not wanted.is_bare)
    return [_plan_step(c, "", "ring_together", "all_devices", now) for c, n in counts.items() if n > 1]


def _ended(status: NotificationStatus, reason: str, now: dt.datetime) -> Plan:
    return Plan(
        [], status, reason, [{"at": _at(now), "step": "plan", "decision": status.value, "reason": reason}]
    )


def _nowhere(trace: Sequence[Step]) -> tuple[NotificationStatus, str]:
    """Unwanted where at least one address was held back, else there was none to begin with."""
    reasons = [step["reason"] for step in trace if step["decision"] == "skip"]
    held = [reason for reason in reasons if reason not in _LACKING]
    if held:
        return NotificationStatus.SUPPRESSED, held[0]
    return NotificationStatus.FAILED, "no_address" if "no_address" in reasons else "no_content"


_LACKING = {"no_address", "no_content"}


def _step(decision: Decision, now: dt.datetime) -> Step:
    address = mask(decision.channel, decision.address) if decision.address else ""
    done = "deliver" if decision.allowed else "skip"
    return _plan_step(decision.channel, address, done, decision.reason, now)


def _plan_step(channel: str, address: str, decision: str, reason: str, now: dt.datetime) -> Step:
    return {
        "at": _at(now),
        "step": "plan",
        "channel": channel,
        "address": address,
        "decision": decision,
        "reason": reason,
    }


def _at(now: dt.datetime) -> str:
    return now.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Due:
    """A notification that is to be planned, in the order of `_DUE`."""

    id: UUID
    recipient_external_id: str
    recipient_type: str
    recipient_once: dict[str, Any] | None
    template_version_id: UUID | None
    data: Any
    content: dict[str, str] | None
    channels: list[Any]
    category: str
    priority: int
    expires_at: dt.datetime | None
    overrides: dict[str, Any]
    action: dict[str, str] | None
    is_test: bool
    digest: dict[str, Any] | None
    is_digest: bool
    told_at: dt.datetime

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Due:
        return cls(
            *(orjson.loads(value) if place in _JSON and value else value for place, value in enumerate(row))
        )

    def event(self, person: Person) -> digests.Event:
        """It as something that is to be told with others; only of one that has a `digest`."""
        assert self.digest is not None
        told_to = self.recipient_type, self.recipient_external_id, self.is_test
        how = self.digest["key"], self.digest["window"], person.timezone
        return digests.Event(self.id, *told_to, *how, self.priority, self.expires_at)


_JSON = {3, 5, 6, 7, 11, 12, 14}
_DUE = ", ".join(Due.__slots__).replace("told_at", "coalesce(send_at, created_at)")

_BY_ID = f"""
    SELECT {_DUE} FROM notifications_notification
     WHERE id = ANY(%(ids)s::uuid[]) AND tenant_id = %(tenant_id)s AND status = 'accepted'
     ORDER BY id FOR UPDATE SKIP LOCKED
"""

_NEXT = f"""
    SELECT {_DUE} FROM notifications_notification
     WHERE tenant_id = %(tenant_id)s AND status = 'accepted'
     ORDER BY priority, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""

Ready = list[tuple[UUID, str, int]]


def plan(tenant_id: UUID, ids: Sequence[UUID]) -> Ready:
    """Plan what of `ids` is still unplanned; what is to be dispatched: (id, channel, priority)."""
    with tenant_scope(tenant_id):
        return _plan(tenant_id, _BY_ID, ids=uuid_array(ids))


def plan_next(tenant_id: UUID, limit: int) -> Ready:
    """Plan the next notifications of the tenant that wait their turn, the most urgent first."""
    with tenant_scope(tenant_id):
        return _plan(tenant_id, _NEXT, limit=limit)


def _plan(tenant_id: UUID, statement: str, **params: Any) -> Ready:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant_id": tenant_id, **params})
        due = [Due.of_row(row) for row in cursor.fetchall()]
    if not due:
        return []
    now = timezone.now()
    tenant = Tenant.objects.get(pk=tenant_id)
    people, rules = recipients(tenant, due), categories(tenant_id)
    plans = _decided(tenant, due, people, rules, now)
    plans = _gathered(tenant_id, due, people, rules, plans, now)
    deliveries = [
        delivery
        for n, person, made in zip(due, people, plans, strict=True)
        if person is not None
        for delivery in _deliveries(n, person, made, rules[n.category], tenant)
    ]
    queue.enqueue(tenant_id, with_badges(deliveries), now=now)
    _record(due, plans, now)
    return [(d.id, d.routes[0][0], d.priority) for d in deliveries]


def _decided(
    tenant: Tenant,
    due: Sequence[Due],
    people: Sequence[Person | None],
    rules: Mapping[str, CategoryRule],
    now: dt.datetime,
) -> list[Plan]:
    spoken = content_channels(n.template_version_id for n in due if n.template_version_id is not None)
    return [
        decide(
            n.channels,
            person,
            rules.get(n.category),
            expires_at=n.expires_at,
            now=now,
            fallback=tenant.fallback,
            content=spoken.get(n.template_version_id) if n.template_version_id else None,
        )
        for n, person in zip(due, people, strict=True)
    ]


def _gathered(
    tenant_id: UUID,
    due: Sequence[Due],
    people: Sequence[Person | None],
    rules: Mapping[str, CategoryRule],
    plans: Sequence[Plan],
    now: dt.datetime,
) -> list[Plan]:
    """The plans, but of events that join a digest: what becomes of those is decided when it closes."""
    events = [
        n.event(person)
        for n, person in zip(due, people, strict=True)
        if n.digest is not None and person is not None and n.category in rules
    ]
    found = digests.gather(tenant_id, events, now=now)
    return [_told(made, found.get(n.id), now) for n, made in zip(due, plans, strict=True)]


def _told(made: Plan, gathered: digests.Gathered | None, now: dt.datetime) -> Plan:
    if gathered is None:
        return made
    step = {"at": _at(now), "step": "digest", "decision": "at_once", "reason": gathered.reason}
    if gathered.digest_id is None:
        return replace(made, trace=[step, *made.trace])
    reason = f"digest:{gathered.digest_id}"
    step |= {"decision": "join", "reason": reason}
    return Plan([], NotificationStatus.PROCESSING, reason, [step], gathered.digest_id)


def recipients(tenant: Tenant, due: Sequence[Due]) -> list[Person | None]:
    """Who each is for, in order; None where the directory does not know them."""
    known = resolve(
        tenant, {(n.recipient_type, n.recipient_external_id) for n in due if n.recipient_once is None}
    )
    described = [RecipientFields.of_checked(n.recipient_once) for n in due if n.recipient_once is not None]
    passing = iter(once_many(tenant, described))
    return [
        known.get((n.recipient_type, n.recipient_external_id)) if n.recipient_once is None else next(passing)
        for n in due
    ]


def _deliveries(
    n: Due, person: Person, made: Plan, category: CategoryRule, tenant: Tenant
) -> list[NewDelivery]:
    payload = _payload(n, "" if person.timezone == tenant.timezone else person.timezone)
    legs = [
        NewDelivery(
            id=new_id(),
            notification_id=n.id,
            recipient_id=person.id,
            category=n.category,
            priority=n.priority,
            routes=chain.routes,
            within=chain.within,
            template_version_id=n.template_version_id,
            locale=person.locale,
            payload=payload,
            is_test=n.is_test,
            unknown_policy=category.unknown_policy,
            deadline=n.expires_at,
        )
        for chain in made.legs
    ]
    return [delivery for leg in legs for delivery in ring_together(leg)]


def _payload(n: Due, timezone: str) -> dict[str, Any]:
    """What dispatch says, so that it never reads a notification. `timezone`: where it is not the tenant's."""
    data = n.data if n.digest is None else digests.told(n.data, [(n.told_at, n.data)], total=1)
    said = {"data": data, "content": n.content, "overrides": n.overrides, "action": n.action}
    if n.template_version_id is not None:
        said["timezone"] = timezone
    return {"data": {}} | {name: value for name, value in said.items() if value}


_RECORD = """
    UPDATE notifications_notification n
       SET status = s.status, reason = s.reason, trace = n.trace || s.trace, digest_id = s.digest_id,
           changed_at = %(now)s
      FROM json_to_recordset(%(plans)s::json) AS s(id uuid, status text, reason text, trace jsonb,
                                                   digest_id uuid)
     WHERE n.id = s.id
"""


def _record(due: Sequence[Due], plans: Sequence[Plan], now: dt.datetime) -> None:
    rows = [
        {
            "id": n.id,
            "status": plan.status.value,
            "reason": plan.reason,
            "trace": plan.trace,
            "digest_id": plan.digest_id,
        }
        for n, plan in zip(due, plans, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, {"now": now, "plans": recordset(rows)})
    if tellings := [n.id for n in due if n.is_digest]:
        digests.follow(tellings)
