"""When a notification's turn is: at once for one that came alone, a window at a time for a batch.

A batch's rows are not rung for one by one. A ring plans the next chunk of each tenant in turn, as long as
less than a window of deliveries waits before the channels; each chunk that is settled rings again. So a
million rows never stand before another tenant's one-time password.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from delivery import dispatch, queue
from notifications import planning, rings
from notifications.models import Priority
from tenants.context import installation_scope


def plan(tenant_id: UUID, ids: list[UUID]) -> None:
    """Plan these; ring for their deliveries, or send them here and now where they are urgent."""
    _dispatch(tenant_id, planning.plan(tenant_id, ids))


def _dispatch(tenant_id: UUID, ready: planning.Ready) -> None:
    """An urgent delivery does not stand in a queue a second time."""
    urgent = [id for id, _, priority in ready if priority == Priority.URGENT]
    if urgent:
        dispatch.run(tenant_id, urgent)
    queue.ring(tenant_id, [row for row in ready if row[2] != Priority.URGENT])


def plan_waiting() -> None:
    """Plan the next chunk of each tenant that has any, and ring again, as long as the window has room."""
    waiting = _tenants_waiting()
    for tenant_id in waiting:
        if is_window_full():
            return
        _dispatch(tenant_id, planning.plan_next(tenant_id, settings.NOTIFICATION_CHUNK_SIZE))
    if waiting:
        rings.plan_waiting(priority=Priority.NORMAL)


def is_window_full() -> bool:
    """Whether as much waits before the channels as batches may put there."""
    window: int = settings.NOTIFICATION_RELEASE_WINDOW * settings.NOTIFICATION_CHUNK_SIZE
    return queue.waiting(window, now=timezone.now()) >= window


def plan_due() -> None:
    """What the clock does each second: scheduled notifications fall due, and lost rings are rung again."""
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_FALL_DUE, {"now": timezone.now()})
    if _tenants_waiting():
        rings.plan_waiting(priority=Priority.NORMAL)


_FALL_DUE = """
    UPDATE notifications_notification n SET status = 'accepted', changed_at = %(now)s
      FROM (SELECT id FROM notifications_notification
             WHERE status = 'scheduled' AND send_at <= %(now)s
             ORDER BY send_at LIMIT 5000 FOR UPDATE SKIP LOCKED) due
     WHERE n.id = due.id
"""

# One index probe a tenant, however many rows wait: PostgreSQL has no loose index scan of its own.
_TENANTS = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id FROM notifications_notification
          WHERE status = 'accepted' ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT n.tenant_id FROM notifications_notification n
                 WHERE n.status = 'accepted' AND n.tenant_id > w.tenant_id ORDER BY n.tenant_id LIMIT 1)
          FROM waiting w WHERE w.tenant_id IS NOT NULL
    )
    SELECT tenant_id FROM waiting WHERE tenant_id IS NOT NULL ORDER BY random()
"""


def _tenants_waiting() -> list[UUID]:
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_TENANTS)
        return [tenant_id for (tenant_id,) in cursor.fetchall()]
