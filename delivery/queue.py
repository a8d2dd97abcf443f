"""The queue is the table. Rows are put in, claimed under a lease, rung for again; the broker only carries ids.

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
from django.utils import timezone
from kombu.exceptions import OperationalError

from delivery.models import Delivery, DeliveryStatus
from tenants.context import installation_scope
from tenants.copying import copy_rows

logger = logging.getLogger(__name__)

PATIENCE = dt.timedelta(seconds=30)
"""How long after a ring the sweeper rings again for a row that still waits."""
_SWEEP = 5_000


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A leg as planning made it. `routes` are [(channel, address), …], the first used first."""

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

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Leg:
        leg = cls(*row)
        leg.routes, leg.payload = orjson.loads(row[5]), orjson.loads(row[11])
        leg.spent_accounts = orjson.loads(row[18])
        return leg


LEG = ", ".join(f"d.{name}" for name in Leg.__slots__)
_NEW = (
    *(
        "id",
        "tenant_id",
        "notification_id",
        "recipient_id",
        "category",
        "priority",
        "status",
        "reason",
        "detail",
    ),
    *("routes", "route", "channel", "address", "template_version_id", "locale", "payload", "is_test"),
    *("unknown_policy", "deadline", "due_at", "ring_at", "attempt", "tries", "spent_accounts", "created_at"),
    "changed_at",
)


def enqueue(tenant_id: UUID, deliveries: Iterable[NewDelivery], *, now: dt.datetime) -> None:
    """Store the deliveries, due at once. The caller rings once its transaction is committed."""
    ring_at = now + PATIENCE
    copy_rows(
        Delivery,
        _NEW,
        (
            (
                *(
                    d.id,
                    tenant_id,
                    d.notification_id,
                    d.recipient_id,
                    d.category,
                    d.priority,
                    "queued",
                    "",
                    "",
                ),
                *(orjson.dumps(d.routes).decode(), 0, *d.routes[0], d.template_version_id, d.locale),
                *(
                    orjson.dumps(d.payload).decode(),
                    d.is_test,
                    d.unknown_policy,
                    d.deadline,
                    now,
                    ring_at,
                    0,
                    0,
                ),
                *("[]", now, now),
            )
            for d in deliveries
        ),
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


_CLAIM = f"""
    UPDATE delivery_delivery d
       SET status = 'sending', attempt = d.attempt + 1, lease_until = %(lease_until)s, changed_at = %(now)s
      FROM (SELECT id FROM delivery_delivery
             WHERE id = ANY(%(ids)s) AND status IN ('queued', 'deferred') AND due_at <= %(now)s
             ORDER BY id FOR UPDATE SKIP LOCKED) due
     WHERE d.id = due.id
    RETURNING {LEG}
"""


def claim(ids: Sequence[UUID], *, now: dt.datetime) -> list[Leg]:
    """Take what of `ids` still waits and is due, under a lease, counting the attempt that begins."""
    lease_until = now + dt.timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS)
    return legs(_CLAIM, ids=ids, now=now, lease_until=lease_until)


def legs_of(notification_id: UUID) -> list[Leg]:
    """A notification's deliveries as they stand, unclaimed."""
    return legs(
        f"SELECT {LEG} FROM delivery_delivery d WHERE d.notification_id = %(id)s ORDER BY d.id",
        id=notification_id,
    )


_LOST = f"""
    SELECT {LEG}, d.tenant_id FROM delivery_delivery d
     WHERE d.status = 'sending' AND d.lease_until < %(now)s
     ORDER BY d.id LIMIT {_SWEEP} FOR UPDATE SKIP LOCKED
"""


def lost(*, now: dt.datetime) -> dict[UUID, list[Leg]]:
    """By tenant, the deliveries whose lease ran out: their worker died between the provider and the record."""
    by_tenant: dict[UUID, list[Leg]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_LOST, {"now": now})
        for *leg, tenant_id in cursor.fetchall():
            by_tenant[tenant_id].append(Leg.of_row(leg))
    return by_tenant


def legs(statement: str, **params: Any) -> list[Leg]:
    """The legs that a statement returning `LEG` gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [Leg.of_row(row) for row in cursor.fetchall()]


_RELEASE = f"""
    UPDATE delivery_delivery d SET ring_at = %(again)s
      FROM (SELECT id FROM delivery_delivery
             WHERE status IN ('queued', 'deferred') AND ring_at <= %(now)s
             ORDER BY ring_at LIMIT {_SWEEP} FOR UPDATE SKIP LOCKED) due
     WHERE d.id = due.id
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


def held_back(account_id: UUID | None) -> int:
    """How many deliveries already wait for this account's rate."""
    return Delivery.objects.filter(status="queued", reason="rate_limited", account_id=account_id).count()


_CANCEL = """
    UPDATE delivery_delivery d
       SET status = 'canceled', reason = 'canceled', changed_at = now()
      FROM (SELECT id FROM delivery_delivery
             WHERE notification_id = ANY(%s) AND status IN ('queued', 'deferred')
             ORDER BY id FOR UPDATE) waiting
     WHERE d.id = waiting.id
    RETURNING d.notification_id
"""


def cancel(notification_ids: Sequence[UUID]) -> set[UUID]:
    """Take out what has not left; the notifications that lost a delivery by it."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, [list(notification_ids)])
        return {id for (id,) in cursor.fetchall()}


def redrive(delivery_ids: Sequence[UUID]) -> list[Delivery]:
    """Put dead letters back at the start of their routes, due at once; those that were. The caller rings."""
    now = timezone.now()
    rows = list(
        Delivery.objects.select_for_update().filter(pk__in=delivery_ids, status="failed").order_by("pk")
    )
    for row in rows:
        row.status, row.reason, row.detail = DeliveryStatus.QUEUED, "redriven", ""
        row.route, row.tries, row.spent_accounts, row.account_id = 0, 0, [], None
        row.channel, row.address = row.routes[0]
        row.due_at, row.ring_at, row.changed_at = now, now + PATIENCE, now
    fields = [
        "status",
        "reason",
        "detail",
        "route",
        "tries",
        "spent_accounts",
        "account_id",
        "channel",
        "address",
    ]
    Delivery.objects.bulk_update(rows, [*fields, "due_at", "ring_at", "changed_at"])
    return rows
