"""What people do to the queue from outside: take out what waits, let it try again, put back what failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery.models import PARKED, Delivery
from delivery.queue import PATIENCE
from tenants.context import installation_scope

_HOLD_CHAINS = """
    SELECT FROM delivery_delivery
     WHERE notification_id = ANY(%s) AND within IS NOT NULL ORDER BY id FOR UPDATE
"""

_UNPARK = f"""
    UPDATE delivery_delivery SET due_at = %(now)s, ring_at = %(now)s
     WHERE status = 'queued' AND reason = '{PARKED}' AND channel = %(channel)s AND due_at > %(now)s
       AND (%(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s)
"""


def unpark(channel: str, tenant_id: UUID | None) -> int:
    """Try again at once what waits for an account of the channel: somebody has just mended one. How many.

    The sweeper rings for them within a second; the account's rate parts them. None: those of every tenant.
    """
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_UNPARK, {"now": timezone.now(), "channel": channel, "tenant_id": tenant_id})
        return int(cursor.rowcount)


_CANCEL = """
    UPDATE delivery_delivery d
       SET status = CASE WHEN left_already THEN d.status ELSE 'canceled' END,
           reason = CASE WHEN left_already THEN d.reason ELSE 'canceled' END,
           escalate_at = NULL, changed_at = now()
      FROM (SELECT id, status NOT IN ('queued', 'deferred') AS left_already FROM delivery_delivery
             WHERE notification_id = ANY(%s) AND (status IN ('queued', 'deferred') OR escalate_at IS NOT NULL)
             ORDER BY id FOR UPDATE) open
     WHERE d.id = open.id
    RETURNING d.notification_id
"""


def cancel(notification_ids: Sequence[UUID]) -> set[UUID]:
    """Take out what has not left, routes whose turn was to come later too; the notifications that lost any.

    Chains are locked first, in a statement of its own: what a sweeper is just making is then there as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_CHAINS, [list(notification_ids)])
        cursor.execute(_CANCEL, [list(notification_ids)])
        return {id for (id,) in cursor.fetchall()}


_REDRIVE = """
    UPDATE delivery_delivery d
       SET status = 'queued', reason = 'redriven', detail = '', route = 0, channel = d.routes->0->>0,
           address = d.routes->0->>1, tries = 0, spent_accounts = '[]', account_id = NULL,
           due_at = turn.at, ring_at = turn.at + turn.patience, changed_at = %(now)s
      FROM (SELECT dead.id, dead.at, CASE WHEN dead.at <= %(now)s THEN %(patience)s ELSE interval '0' END
                   AS patience
              FROM (SELECT locked.id, %(begin)s + (row_number() OVER (ORDER BY locked.id) - 1) * %(gap)s AS at
                      FROM (SELECT id FROM delivery_delivery
                             WHERE id = ANY(%(ids)s) AND status = 'failed' AND address <> ''
                             ORDER BY id FOR UPDATE) locked
                   ) dead) turn
     WHERE d.id = turn.id
    RETURNING d.id
"""


def redrive(
    delivery_ids: Sequence[UUID], *, begin: dt.datetime | None = None, gap: dt.timedelta = dt.timedelta()
) -> list[Delivery]:
    """Put dead letters back at the start of their routes; those that were, in order of id.

    The first is due at `begin`, which is now unless told otherwise, each next one `gap` later. The caller
    tells of it in the same transaction, and rings for those that are due when that is committed.
    """
    now = timezone.now()
    params: dict[str, Any] = {"ids": list(delivery_ids), "now": now, "patience": PATIENCE}
    params |= {"begin": begin or now, "gap": gap}
    with connection.cursor() as cursor:
        cursor.execute(_REDRIVE, params)
        ids = [id for (id,) in cursor.fetchall()]
    return list(Delivery.objects.filter(pk__in=ids).order_by("pk"))
