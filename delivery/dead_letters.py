"""Sending again what ended as a dead letter, because an operator says so."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from delivery import intervening, queue
from delivery.models import Delivery, DeliveryStatus
from delivery.signals import Change, deliveries_changed
from tenants.context import tenant_scope
from tenants.ids import made_at

CHUNK = 500
"""Rows a transaction."""


@dataclass(frozen=True, slots=True)
class Pile:
    """The dead letters of one reason, and when the first and the last of them were made."""

    reason: str
    count: int
    oldest: dt.datetime
    newest: dt.datetime


_PILES = """
    SELECT reason, count(*), (array_agg(id ORDER BY id))[1], (array_agg(id ORDER BY id DESC))[1]
      FROM delivery_delivery WHERE tenant_id = %s AND status = 'failed'
     GROUP BY reason ORDER BY count(*) DESC, reason
"""


def piles(tenant_id: UUID) -> list[Pile]:
    """The tenant's dead letters by reason, the highest pile first."""
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(_PILES, [tenant_id])
        found = cursor.fetchall()
    return [Pile(reason, count, made_at(first), made_at(last)) for reason, count, first, last in found]


def retry(
    tenant_id: UUID,
    delivery_ids: Sequence[UUID],
    *,
    begin: dt.datetime | None = None,
    gap: dt.timedelta = dt.timedelta(),
) -> int:
    """Put the tenant's dead letters among these back at the start of their routes; how many that were.

    The first is due at `begin`, each next one `gap` later; at once unless told otherwise.
    """
    with tenant_scope(tenant_id):
        mine = Delivery.objects.filter(tenant_id=tenant_id, pk__in=delivery_ids).values_list("pk", flat=True)
        rows = intervening.redrive(list(mine), begin=begin, gap=gap)
        deliveries_changed.send(Delivery, tenant_id=tenant_id, changes=[_change(row) for row in rows])
        now = timezone.now()
        waiting = [(row.pk, row.channel, row.priority) for row in rows if row.due_at <= now]
        transaction.on_commit(partial(queue.ring, tenant_id, waiting))
    return len(rows)


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many were put back, when the last of them is due, and how many are left."""

    count: int
    until: dt.datetime
    left: int


def retry_slowly(
    tenant_id: UUID, dead: QuerySet[Delivery], *, rate: float | None, begin: dt.datetime | None, limit: int
) -> Redriven:
    """Put back the first `limit` dead letters of a set, oldest first, `rate` a second; all at once without.

    A transaction for `CHUNK` of them: whoever is interrupted goes on by asking again, from `until`.
    """
    gap = dt.timedelta(seconds=1 / rate) if rate else dt.timedelta()
    turn = max(begin or timezone.now(), timezone.now())
    with tenant_scope(tenant_id):
        ids = list(failed(dead).order_by("pk").values_list("pk", flat=True)[:limit])
    done = 0
    for start in range(0, len(ids), CHUNK):
        moved = retry(tenant_id, ids[start : start + CHUNK], begin=turn, gap=gap)
        done, turn = done + moved, turn + moved * gap
    with tenant_scope(tenant_id):
        return Redriven(done, turn, failed(dead).count())


def failed(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Those that can be put back: one that was erased has no address any more."""
    return rows.filter(status=DeliveryStatus.FAILED).exclude(address="")


def retry_many(deliveries: Iterable[Delivery]) -> int:
    """As `retry`, for deliveries of several tenants: a transaction each."""
    by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
    for delivery in deliveries:
        by_tenant[delivery.tenant_id].append(delivery.pk)
    return sum(retry(tenant_id, ids) for tenant_id, ids in by_tenant.items())


def _change(row: Delivery) -> Change:
    return Change(
        row.pk, row.notification_id, row.recipient_id, row.channel, row.status, row.reason, row.changed_at
    )
