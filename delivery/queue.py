"""The queue is the table. Rows go in, are claimed under a lease, rung for again; the broker only carries ids.

A ring may be lost, repeated or late: a claim takes a row only while it waits and is due, so a repeated ring
finds nothing, and `release_due` rings again for what nobody came for.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from celery import current_app
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from delivery.models import HELD, WAITING, Delivery, DeliveryStatus
from tenants.bulk import copy_rows, uuid_array
from tenants.context import installation_scope

logger = logging.getLogger(__name__)

PATIENCE = dt.timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS / 2)
"""How long after a ring the sweeper rings again for a row that still waits: its ring may be lost."""
_SWEEP = 5_000


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A leg as planning made it. `routes` are [(channel, address), …], the first used first.

    With `held_until` it waits for that time, for `reason`. `decided_by` are the versions of the rules that it
    was planned by; without, `consent` decides again before it leaves. `within` seconds after one was used the
    next channel's turn comes (see `escalation`). `rings_with` is the first of those that ring together, for
    which see `siblings`.
    """

    id: UUID
    notification_id: UUID
    recipient_id: UUID | None
    category: str
    priority: int
    routes: Sequence[tuple[str, str]]
    template_version_id: UUID | None
    locale: str
    payload: dict[str, Any]
    is_test: bool
    unknown_policy: str
    deadline: dt.datetime | None
    within: int | None = None
    escalated_from: UUID | None = None
    rings_with: UUID | None = None
    held_until: dt.datetime | None = None
    reason: str = ""
    decided_by: int | None = None


@dataclass(slots=True)
class Leg:
    """A claimed delivery: what dispatch needs of its row, in the order of `LEG`."""

    id: UUID
    notification_id: UUID
    recipient_id: UUID | None
    category: str
    priority: int
    routes: list[list[str]]
    route: int
    channel: str
    address: str
    template_version_id: UUID | None
    locale: str
    payload: dict[str, Any]
    is_test: bool
    unknown_policy: str
    deadline: dt.datetime | None
    attempt: int
    tries: int
    account_id: UUID | None
    spent_accounts: list[str]
    reason: str
    within: int | None = None
    escalated_from: UUID | None = None
    rings_with: UUID | None = None
    due_at: dt.datetime | None = None
    decided_by: int | None = None

    @property
    def root(self) -> UUID:
        """The first delivery of its chain, as `ROOT` has it in SQL."""
        return self.escalated_from or self.rings_with or self.id

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Leg:
        leg = cls(*row)
        leg.routes, leg.payload = orjson.loads(row[5]), orjson.loads(row[11])
        leg.spent_accounts = orjson.loads(row[18])
        return leg


LEG = ", ".join(f"d.{name}" for name in Leg.__slots__)
ROOT = "coalesce(escalated_from, rings_with, id)"
_NEW = (
    *("id", "tenant_id", "notification_id", "recipient_id", "category", "priority", "template_version_id"),
    *("locale", "is_test", "unknown_policy", "deadline", "payload", "routes", "channel", "address"),
    *("status", "reason", "detail", "route", "attempt", "tries", "spent_accounts"),
    *("due_at", "ring_at", "created_at", "changed_at", "within", "escalated_from", "rings_with"),
    "decided_by",
)


def enqueue(tenant_id: UUID, deliveries: Iterable[NewDelivery], *, now: dt.datetime) -> None:
    """Store the deliveries. The caller rings for those that are due, once its transaction is committed."""
    copy_rows(Delivery, _NEW, (_new_row(tenant_id, delivery, now) for delivery in deliveries))


def _new_row(tenant_id: UUID, d: NewDelivery, now: dt.datetime) -> tuple[Any, ...]:
    return (
        *(d.id, tenant_id, d.notification_id, d.recipient_id, d.category, d.priority, d.template_version_id),
        *(d.locale, d.is_test, d.unknown_policy, d.deadline, orjson.dumps(d.payload).decode()),
        *(orjson.dumps(d.routes).decode(), *d.routes[0]),
        *("deferred" if d.held_until else "queued", d.reason, "", 0, 0, 0, "[]"),
        *(d.held_until or now, d.held_until or now + PATIENCE, now, now, d.within, d.escalated_from),
        *(d.rings_with, d.decided_by),
    )


def ring(tenant_id: UUID, waiting: Iterable[tuple[UUID, str, int]]) -> None:
    """Ring for (id, channel, priority): one message a chunk of one channel and priority.

    A broker that is away is no error: the rows are stored, and the sweeper rings when it is back.
    """
    lanes: dict[tuple[str, int], list[str]] = defaultdict(list)
    for id, channel, priority in waiting:
        lanes[channel, priority].append(str(id))
    for (channel, priority), ids in lanes.items():
        for chunk in chunks(ids):
            publish("delivery.dispatch", (str(tenant_id), chunk), queue=channel, priority=priority)


def chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """`ids` in the portions that one task carries."""
    size = settings.NOTIFICATION_CHUNK_SIZE
    return (ids[start : start + size] for start in range(0, len(ids), size))


def publish(task: str, args: tuple[Any, ...], *, queue: str, priority: int) -> None:
    """Hand a ring to the broker, or log that it is away."""
    try:
        current_app.send_task(task, args, queue=queue, priority=priority, retry=False, ignore_result=True)
    except OperationalError:
        logger.warning("the broker is away: the sweeper will ring", extra={"task": task})


_TAKE = """
    SELECT id, status, due_at FROM delivery_delivery
     WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED
"""

_CLAIM = f"""
    UPDATE delivery_delivery d
       SET status = 'sending', attempt = d.attempt + 1, lease_until = %(lease_until)s, changed_at = %(now)s
     WHERE d.id = ANY(%(ids)s::uuid[])
    RETURNING {LEG}
"""


def claim(ids: Sequence[UUID], *, now: dt.datetime) -> list[Leg]:
    """Take what of `ids` still waits and is due, under a lease, counting the attempt that begins.

    Which do is decided here, on the locked rows: as conditions of the statement they led PostgreSQL to the
    index of all that waits, however much that is.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [uuid_array(ids)])
        due = [id for id, status, due_at in cursor.fetchall() if status in WAITING and due_at <= now]
    lease_until = now + dt.timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS)
    return legs(_CLAIM, ids=uuid_array(due), now=now, lease_until=lease_until) if due else []


_OF_NOTIFICATION = f"SELECT {LEG} FROM delivery_delivery d WHERE d.notification_id = %(id)s ORDER BY d.id"


def legs_of(notification_id: UUID) -> list[Leg]:
    """A notification's deliveries as they stand, unclaimed."""
    return legs(_OF_NOTIFICATION, id=notification_id)


_LOST = f"""
    SELECT {LEG} FROM delivery_delivery d
     WHERE d.tenant_id = %(tenant_id)s AND d.status = 'sending' AND d.lease_until < %(now)s
     ORDER BY d.id LIMIT {_SWEEP}
"""


def lost(tenant_id: UUID, *, now: dt.datetime) -> list[Leg]:
    """The deliveries whose lease ran out: their worker died between the provider and the record."""
    return legs(_LOST, tenant_id=tenant_id, now=now)


def tenants_with_lost(*, now: dt.datetime) -> list[UUID]:
    """The tenants that have any such delivery."""
    rows = Delivery.objects.filter(status=DeliveryStatus.SENDING, lease_until__lt=now)
    with installation_scope():
        return list(rows.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())


def legs(statement: str, **params: Any) -> list[Leg]:
    """The legs that a statement returning `LEG` gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [Leg.of_row(row) for row in cursor.fetchall()]


_RELEASE = f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM delivery_delivery
         WHERE status IN ('queued', 'deferred') AND ring_at <= %(now)s
         ORDER BY ring_at LIMIT {_SWEEP} FOR UPDATE SKIP LOCKED
    )
    UPDATE delivery_delivery d SET ring_at = %(again)s FROM due WHERE d.id = due.id
    RETURNING d.tenant_id, d.id, d.channel, d.priority
"""


def release_due(*, now: dt.datetime) -> int:
    """Ring for whatever is due and unclaimed: deferred, retrying, or rung for in vain. How many that were."""
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_RELEASE, {"now": now, "again": now + PATIENCE})
        due = cursor.fetchall()
    by_tenant: dict[UUID, list[tuple[UUID, str, int]]] = defaultdict(list)
    for tenant_id, *waiting in due:
        by_tenant[tenant_id].append(tuple(waiting))
    for tenant_id, rows in by_tenant.items():
        ring(tenant_id, rows)
    return len(due)


_WAITING = """
    SELECT count(*) FROM (SELECT FROM delivery_delivery
                           WHERE status IN ('queued', 'deferred') AND ring_at <= %s AND due_at <= %s
                           LIMIT %s) waiting
"""


def waiting(limit: int, *, now: dt.datetime) -> int:
    """How many deliveries are due and unclaimed, counted up to `limit`."""
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_WAITING, [now + PATIENCE, now, limit])
        (count,) = cursor.fetchone()
        return int(count)


def held_back(account_id: UUID | None, priority: int) -> int:
    """How many deliveries already wait for their turn at this account's rate, as urgent as this or more."""
    held = Delivery.objects.filter(status=DeliveryStatus.QUEUED, reason=HELD, account_id=account_id)
    with installation_scope():
        return held.filter(priority__lte=priority).count()
