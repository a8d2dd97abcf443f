"""Going on to the next channel when a delivery has not arrived, or has not been seen, in time.

What was sent stays sent. Its successor is a delivery of its own with the routes that are left, so no status
ever goes back, each says what became of it, and a late receipt finds the delivery that it speaks of. The
first of a chain is its root; `escalated_from` names it in all that follow.

Three things end a chain: a receipt of any of its deliveries by a channel where arriving is enough, the
recipient who opens one of them, and the recipient who sees the notification anywhere. What has not left by
then is canceled.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery import queue
from delivery.models import Delivery
from delivery.queue import Leg, NewDelivery
from delivery.settlement import late_reason, onward
from tenants.bulk import recordset, uuid_array
from tenants.context import installation_scope, tenant_scope
from tenants.ids import new_id

_SWEEP = 1_000
"""Deliveries that one sweep takes, those first that wait the longest: the next is a second later."""

_DUE = f"""
    SELECT {queue.LEG} FROM delivery_delivery d
     WHERE d.id = ANY(%(ids)s::uuid[]) AND d.escalate_at <= %(now)s AND d.status IN ('sent', 'delivered')
     ORDER BY d.id FOR UPDATE SKIP LOCKED
"""

_OVERTAKE = """
    UPDATE delivery_delivery d
       SET escalate_at = NULL, reason = coalesce(s.reason, d.reason), routes = s.routes, changed_at = %(now)s
      FROM json_to_recordset(%(rows)s::json) AS s(id uuid, reason text, routes jsonb)
     WHERE d.id = s.id
"""


def escalate_due(*, now: dt.datetime) -> int:
    """Give the next channel its turn wherever a route's time is over. How many that were."""
    due = Delivery.objects.filter(escalate_at__lte=now).order_by("escalate_at")
    by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
    with installation_scope():
        for tenant_id, id in due.values_list("tenant_id", "pk")[:_SWEEP]:
            by_tenant[tenant_id].append(id)
    return sum(_escalate(tenant_id, ids, now) for tenant_id, ids in by_tenant.items())


def _escalate(tenant_id: UUID, ids: Sequence[UUID], now: dt.datetime) -> int:
    with tenant_scope(tenant_id):
        legs = queue.legs(_DUE, ids=uuid_array(ids), now=now)
        roots = _roots([leg.id for leg in legs])
        made = [(leg, successor(leg, roots[leg.id], now=now)) for leg in legs]
        _overtake(made, now)
        successors = [new for _, new in made if new is not None]
        queue.enqueue(tenant_id, successors, now=now)
    queue.ring(tenant_id, [(new.id, new.routes[0][0], new.priority) for new in successors])
    return len(successors)


def _roots(ids: Sequence[UUID]) -> dict[UUID, UUID]:
    rows = Delivery.objects.filter(pk__in=ids).values_list("pk", "escalated_from") if ids else ()
    return {id: root or id for id, root in rows}


def successor(leg: Leg, root: UUID, *, now: dt.datetime) -> NewDelivery | None:
    """The delivery that goes on by the next channels; None past the deadline, or when there is none."""
    start = onward(leg.routes, leg.route)
    if start is None or (leg.deadline is not None and leg.deadline <= now):
        return None
    return NewDelivery(
        id=new_id(),
        notification_id=leg.notification_id,
        recipient_id=leg.recipient_id,
        category=leg.category,
        priority=leg.priority,
        routes=[(channel, address) for channel, address in leg.routes[start:]],
        template_version_id=leg.template_version_id,
        locale=leg.locale,
        payload=leg.payload,
        is_test=leg.is_test,
        unknown_policy=leg.unknown_policy,
        deadline=leg.deadline,
        within=leg.within,
        escalated_from=root,
    )


def _overtake(made: Sequence[tuple[Leg, NewDelivery | None]], now: dt.datetime) -> None:
    """What the successor has is no route of the first one's any more: a late failure must not use it too."""
    rows = [
        {
            "id": leg.id,
            "reason": late_reason(leg.channel) if new else None,
            "routes": leg.routes[: leg.route + 1] if new else leg.routes,
        }
        for leg, new in made
    ]
    with connection.cursor() as cursor:
        cursor.execute(_OVERTAKE, {"rows": recordset(rows), "now": now})


_TIMED = "notification_id = ANY(%(notifications)s::uuid[]) AND tenant_id = %(tenant_id)s"

_WHICH = f"""
    SELECT DISTINCT notification_id FROM delivery_delivery WHERE {_TIMED} AND within IS NOT NULL
"""

_LOCK = f"SELECT FROM delivery_delivery WHERE {_TIMED} ORDER BY id FOR NO KEY UPDATE"

_STOP = """
    UPDATE delivery_delivery d
       SET escalate_at = NULL, seen_at = coalesce(d.seen_at, CASE WHEN %(seen)s THEN %(now)s END),
           status = CASE WHEN waiting THEN 'canceled' ELSE d.status END,
           reason = CASE WHEN waiting THEN %(reason)s ELSE d.reason END, changed_at = %(now)s
      FROM (SELECT id, status IN ('queued', 'deferred') AND escalated_from IS NOT NULL AS waiting
              FROM delivery_delivery
             WHERE {which} AND within IS NOT NULL
             ORDER BY id {lock}) chain
     WHERE d.id = chain.id
"""
_STOP_ALL = _STOP.format(which=_TIMED, lock="")
_STOP_CHAINS = _STOP.format(
    which=f"{_TIMED} AND coalesce(escalated_from, id) = ANY(%(roots)s::uuid[])",
    lock="FOR NO KEY UPDATE SKIP LOCKED",
)


def mark_seen(tenant_id: UUID, notification_ids: Collection[UUID], at: dt.datetime) -> None:
    """The recipient saw these: nothing of them escalates any more, whatever was to be seen or to arrive.

    One query where no chain says `within`. Their deliveries are locked before they are changed, in a
    statement of its own, so that what a sweeper is just making is there to be canceled.
    """
    known: dict[str, Any] = {"notifications": uuid_array(notification_ids), "tenant_id": tenant_id}
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(_WHICH, known)
        if not (timed := [id for (id,) in cursor.fetchall()]):
            return
        known["notifications"] = uuid_array(timed)
        cursor.execute(_LOCK, known)
        cursor.execute(_STOP_ALL, {**known, "seen": True, "reason": "seen_meanwhile", "now": at})


def stop_chains(tenant_id: UUID, delivery_ids: Collection[UUID], *, seen: bool) -> None:
    """One delivery of each chain has arrived, or was opened: what has not left by now is not needed.

    Inside the tenant's scope, with those deliveries locked. Successors that somebody else holds are passed
    over: they are on their way, and waiting for them out of turn could be for ever.
    """
    mine = Delivery.objects.filter(tenant_id=tenant_id, pk__in=delivery_ids, within__isnull=False)
    rows = list(mine.values_list("notification_id", "escalated_from", "pk"))
    if not rows:
        return
    params: dict[str, Any] = {
        "notifications": uuid_array({notification_id for notification_id, _, _ in rows}),
        "roots": uuid_array({root or id for _, root, id in rows}),
        "reason": "seen_meanwhile" if seen else "delivered_meanwhile",
    }
    with connection.cursor() as cursor:
        cursor.execute(_STOP_CHAINS, {**params, "tenant_id": tenant_id, "seen": seen, "now": timezone.now()})
