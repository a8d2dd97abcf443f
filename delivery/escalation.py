"""Going on to the next channel when a delivery has not arrived, or has not been seen, in time.

What was sent stays sent. Its successor is a delivery of its own with the routes that are left, so no status
ever goes back, each says what became of it, and a late receipt finds the delivery that it speaks of. The
first of a chain is its root; `escalated_from` names it in all that follow. Of devices that ring together
(`siblings`) the first whose time is over gives the next channel its turn, for all of them.

Three things end a chain: a receipt of any of its deliveries by a channel where arriving is enough, the
recipient who opens one of them, and the recipient who sees the notification anywhere. What has not left by
then is canceled.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery import queue, siblings
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

# A sibling that has not left yet, or failed, keeps its own reason.
_OVERTAKE = f"""
    UPDATE delivery_delivery d
       SET escalate_at = NULL, changed_at = %(now)s,
           reason = CASE WHEN d.status IN ('sent', 'delivered') THEN coalesce(s.reason, d.reason)
                         ELSE d.reason END,
           routes = CASE WHEN s.reason IS NULL THEN d.routes ELSE {siblings.CUT} END
      FROM json_to_recordset(%(rows)s::json) AS s(id uuid, reason text)
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
        due = queue.legs(_DUE, ids=uuid_array(ids), now=now)
        made = [(turn, successors(turn, now=now)) for turn in _turns(due)]
        _overtake(made, now)
        news = [new for _, those in made for new in those]
        queue.enqueue(tenant_id, news, now=now)
    queue.ring(tenant_id, [(new.id, new.routes[0][0], new.priority) for new in news])
    return sum(bool(those) for _, those in made)


@dataclass(frozen=True, slots=True)
class Turn:
    """A leg whose time is over, and all that lose their tails with it: itself, and its siblings.

    `is_seen`: the recipient has seen one of those, so nothing goes on.
    """

    leg: Leg
    family: Collection[UUID]
    is_seen: bool = False


_HOLD = """
    SELECT id, seen_at IS NOT NULL FROM delivery_delivery
     WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED
"""


def _turns(due: Sequence[Leg]) -> list[Turn]:
    """A turn for each leg, but one for all that ring together and have a tail to lose."""
    sharing = [leg for leg in due if siblings.rings_now(leg) and onward(leg.routes, leg.route) is not None]
    alone = [Turn(leg, [leg.id]) for leg in due if leg not in sharing]
    return alone + _turns_of_families(sharing) if sharing else alone


def _turns_of_families(sharing: Sequence[Leg]) -> list[Turn]:
    """The turn is its first leg's. A family that somebody else holds some of waits for the next sweep."""
    first = {leg.rings_with: leg for leg in reversed(sharing)}
    families = siblings.families(leg.id for leg in first.values())
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [uuid_array(id for family in families.values() for id in family)])
        seen: dict[UUID, bool] = dict(cursor.fetchall())
    held = {root: family for root, family in families.items() if family <= seen.keys()}
    return [Turn(first[root], family, any(seen[id] for id in family)) for root, family in held.items()]


def successors(turn: Turn, *, now: dt.datetime) -> list[NewDelivery]:
    """What goes on by the next channels; nothing past the deadline, nor when there is no next one.

    One delivery, or one for each device where they ring together.
    """
    leg = turn.leg
    start = onward(leg.routes, leg.route)
    if turn.is_seen or start is None or (leg.deadline is not None and leg.deadline <= now):
        return []
    rest = siblings.going_on(leg, leg.routes[start:], id=new_id(), escalated_from=leg.root)
    return siblings.ring_together(rest)


def _overtake(made: Sequence[tuple[Turn, Sequence[NewDelivery]]], now: dt.datetime) -> None:
    """What the successor has is no route of the first one's any more: a late failure must not use it too."""
    rows = [
        {"id": id, "reason": late_reason(turn.leg.channel) if those else None}
        for turn, those in made
        for id in turn.family
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
    which=f"{_TIMED} AND {queue.ROOT} = ANY(%(roots)s::uuid[])",
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
    rows = list(mine.values_list("notification_id", "escalated_from", "rings_with", "pk"))
    if not rows:
        return
    params: dict[str, Any] = {
        "notifications": uuid_array({row[0] for row in rows}),
        "roots": uuid_array({root or first or id for _, root, first, id in rows}),
        "reason": "seen_meanwhile" if seen else "delivered_meanwhile",
    }
    with connection.cursor() as cursor:
        cursor.execute(_STOP_CHAINS, {**params, "tenant_id": tenant_id, "seen": seen, "now": timezone.now()})
