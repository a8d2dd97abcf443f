"""From a notification to its deliveries: whom it reaches, by which routes, or why not. A chunk at a time.

`plans.decide` says what becomes of each. Here what it needs is read in a handful of queries, and deliveries,
statuses and trace are stored in the transaction that took the notifications, so a plan is made once or not at
all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery import queue
from delivery.queue import NewDelivery
from delivery.siblings import ring_together
from notifications import digests, waiting
from notifications.badges import with_badges
from notifications.due import Due, take, take_next
from notifications.plans import House, Plan, Wording, decide
from preferences import changes, presence
from preferences.addresses import RecipientFields
from preferences.categories import categories
from preferences.directory import Key, by_ids, once_many, resolve
from preferences.policies import policy_of
from preferences.rules import CategoryRule, Person
from preferences.rules.presence import AWAY, Presence
from templates_app.catalog import content_channels
from tenants.bulk import recordset
from tenants.channels import has_conditions
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant

Ready = list[tuple[UUID, str, int]]


def plan(tenant_id: UUID, ids: Sequence[UUID]) -> Ready:
    """Plan what of `ids` is still unplanned; what is to be dispatched: (id, channel, priority)."""
    with tenant_scope(tenant_id):
        return _plan(tenant_id, take(tenant_id, ids))


def plan_next(tenant_id: UUID, limit: int) -> Ready:
    """Plan the next notifications of the tenant that wait their turn, the most urgent first."""
    with tenant_scope(tenant_id):
        return _plan(tenant_id, take_next(tenant_id, limit))


def _plan(tenant_id: UUID, due: Sequence[Due]) -> Ready:
    if not due:
        return []
    chunk = _Chunk.of(Tenant.objects.get(pk=tenant_id), due, timezone.now())
    plans = chunk.decide()
    if any(made.is_held for made in plans):
        chunk, plans = _held(chunk, plans)
    plans = _settled(chunk, plans)
    deliveries = [
        delivery
        for n, person, made in zip(due, chunk.people, plans, strict=True)
        if person is not None
        for delivery in _deliveries(n, person, made, chunk.rules[n.category], chunk.tenant)
    ]
    queue.enqueue(tenant_id, with_badges(deliveries), now=chunk.now)
    _record(due, plans, chunk.now)
    return [(d.id, d.routes[0][0], d.priority) for d in deliveries if d.held_until is None]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What is due, and all that is known for deciding on it. `people`: whom each is for, in order."""

    tenant: Tenant
    due: Sequence[Due]
    people: Sequence[Person | None]
    rules: Mapping[str, CategoryRule]
    presences: Mapping[Key, Presence]
    now: dt.datetime

    @classmethod
    def of(cls, tenant: Tenant, due: Sequence[Due], now: dt.datetime) -> _Chunk:
        people, presences = _recipients(tenant, due), _presences(tenant, due)
        return cls(tenant, due, people, categories(tenant.pk), presences, now)

    def decide(self) -> list[Plan]:
        spoken = content_channels(
            n.template_version_id for n in self.due if n.template_version_id is not None
        )
        house = House(policy_of(self.tenant), self.tenant.fallback)
        return [
            decide(
                n.channels,
                person,
                self.rules.get(n.category),
                n.circumstances(person, self.now),
                house=house,
                wording=Wording(n.template_code, spoken.get(n.template_version_id))
                if n.template_version_id
                else Wording(),
                presence=self.presences.get(n.key, AWAY),
            )
            for n, person in zip(self.due, self.people, strict=True)
        ]


def _held(chunk: _Chunk, plans: list[Plan]) -> tuple[_Chunk, list[Plan]]:
    """Both, those that wait decided with their recipients locked.

    So whoever changes a preference either comes before, and is heeded, or after, and finds what waits.
    """
    held_up = [who for who, made in zip(chunk.people, plans, strict=True) if made.is_held]
    known = {who.id: who.version for who in held_up if who is not None and who.id is not None}
    held = changes.hold(known)
    if changed := {id for id, version in known.items() if held.get(id) != version}:
        fresh = by_ids(chunk.tenant, changed)
        people = [fresh.get(who.id) if who and who.id in changed else who for who in chunk.people]
        chunk = replace(chunk, people=people)
        plans = chunk.decide()
    return chunk, plans


def _settled(chunk: _Chunk, plans: Sequence[Plan]) -> list[Plan]:
    """The plans as they hold within frequency caps, and with what waits to be told with others."""
    cases = [
        n.case(made, person, chunk.rules[n.category], chunk.now)
        for n, person, made in zip(chunk.due, chunk.people, plans, strict=True)
        if person is not None and n.category in chunk.rules
    ]
    found = waiting.settle(chunk.tenant, cases, now=chunk.now)
    return [found.get(n.id, made) for n, made in zip(chunk.due, plans, strict=True)]


def _presences(tenant: Tenant, due: Sequence[Due]) -> Mapping[Key, Presence]:
    """Of those of whom it matters whether they are online: a round trip for all, none where it never does."""
    of_house = has_conditions(tenant.fallback.values())
    asked = {n.key for n in due if n.recipient_external_id and (of_house or has_conditions(n.channels))}
    return presence.of(tenant.pk, asked)


def _recipients(tenant: Tenant, due: Sequence[Due]) -> list[Person | None]:
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
            payload=payload | {"if": dict(chain.conditions)} if chain.conditions else payload,
            is_test=n.is_test,
            unknown_policy=category.unknown_policy,
            deadline=n.expires_at,
            held_until=chain.hold.until if chain.hold else None,
            reason=chain.hold.reason if chain.hold else "",
            decided_by=None if chain.conditions else changes.stamp(tenant.rules_version, person.version),
        )
        for chain in made.legs
    ]
    return [delivery for leg in legs for delivery in ring_together(leg)]


def _payload(n: Due, timezone: str) -> dict[str, Any]:
    """What dispatch says, so that it never reads a notification. `timezone`: where it is not the tenant's."""
    data = n.data if n.digest is None else digests.told(n.data, [(n.told_at, n.data)], total=1)
    said = {"data": data, "content": n.content, "overrides": n.overrides, "action": n.action}
    return {"data": {}} | {name: value for name, value in (said | {"timezone": timezone}).items() if value}


_RECORD = """
    UPDATE notifications_notification n
       SET status = s.status, reason = s.reason, trace = n.trace || s.trace, digest_id = s.digest_id,
           places = s.places, changed_at = %(now)s
      FROM json_to_recordset(%(plans)s::json) AS s(id uuid, status text, reason text, trace jsonb,
                                                   digest_id uuid, places jsonb)
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
            "places": plan.places,
        }
        for n, plan in zip(due, plans, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, {"now": now, "plans": recordset(rows)})
    if tellings := [n.id for n in due if n.is_digest]:
        digests.follow(tellings)
