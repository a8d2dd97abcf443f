"""What should have happened by now and has not: each a probe of an index, whatever the size of the table."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.db import connection
from django_celery_beat.models import PeriodicTask

from config.tasks import tick
from delivery.models import WAITING, Delivery
from notifications.models import Digest, Notification, NotificationStatus, Priority
from tenants.ids import made_at

# The oldest unplanned row of each tenant and priority: the first entries of the partial index, no scan.
_OLDEST_UNPLANNED = """
    SELECT min(oldest.id::text)
    FROM tenants_tenant AS tenant
    CROSS JOIN unnest(%s::smallint[]) AS step
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_notification
        WHERE status = 'accepted' AND tenant_id = tenant.id AND priority = step
        ORDER BY id LIMIT 1
    ) AS oldest
"""


def delivery_overdue(now: dt.datetime) -> dt.timedelta:
    """How long the sweeper has failed to ring for a delivery. Zero when all is rung for in time."""
    waiting = Delivery.objects.filter(status__in=WAITING).order_by("ring_at")
    return _since(waiting.values_list("ring_at", flat=True).first(), now)


def schedule_overdue(now: dt.datetime) -> dt.timedelta:
    """How long a scheduled notification has been due without being planned."""
    scheduled = Notification.objects.filter(status=NotificationStatus.SCHEDULED).order_by("send_at")
    return _since(scheduled.values_list("send_at", flat=True).first(), now)


def digest_overdue(now: dt.datetime) -> dt.timedelta:
    """How long the sweeper has failed to close a digest."""
    waiting = Digest.objects.filter(closed_at=None).order_by("closes_at")
    return _since(waiting.values_list("closes_at", flat=True).first(), now)


def oldest_unplanned(now: dt.datetime, *priorities: Priority) -> dt.timedelta:
    """How long the oldest accepted notification of these priorities (none: of all) waits for its plan."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_UNPLANNED, [[int(step) for step in priorities or Priority]])
        (oldest,) = cursor.fetchone()
    return _since(oldest and made_at(UUID(oldest)), now)


def last_tick() -> dt.datetime | None:
    task = PeriodicTask.objects.filter(task=tick.name).first()
    return None if task is None else task.last_run_at


def _since(moment: dt.datetime | None, now: dt.datetime) -> dt.timedelta:
    return dt.timedelta(0) if moment is None else max(now - moment, dt.timedelta(0))
