"""Stopping what has not left."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone

from delivery import queue
from notifications.models import UNPLANNED, Batch, Notification, NotificationStatus
from notifications.receivers import roll_up
from tenants.context import tenant_scope


def cancel(tenant_id: UUID, notification_id: UUID) -> bool:
    """Cancel the notification, or those of its deliveries that have not left. False when there were none."""
    with tenant_scope(tenant_id):
        return _cancel_unplanned(tenant_id, [notification_id]) > 0 or _cancel_planned([notification_id])


def _cancel_unplanned(tenant_id: UUID, ids: Sequence[UUID]) -> int:
    rows = Notification.objects.filter(tenant_id=tenant_id, pk__in=ids, status__in=UNPLANNED)
    return rows.update(status=NotificationStatus.CANCELED, reason="canceled", changed_at=timezone.now())


def _cancel_planned(ids: Sequence[UUID]) -> bool:
    """The deliveries go first, so that the roll-up sees what is left."""
    canceled = queue.cancel(ids)
    roll_up(canceled)
    return bool(canceled)


def cancel_batch(batch: Batch, *, chunk: int = 1000) -> None:
    """Cancel what of the batch has not left, a chunk a transaction."""
    with tenant_scope(batch.tenant_id):
        Batch.objects.filter(pk=batch.pk, canceled_at=None).update(
            canceled_at=timezone.now(), updated_at=timezone.now()
        )
    while ids := _open_notifications(batch, chunk):
        with tenant_scope(batch.tenant_id):
            _cancel_unplanned(batch.tenant_id, ids)
    after = None
    while ids := _planned(batch, after, chunk):
        with tenant_scope(batch.tenant_id):
            _cancel_planned(ids)
        after = ids[-1]


def _open_notifications(batch: Batch, limit: int) -> list[UUID]:
    rows = Notification.objects.filter(batch_id=batch.pk, status__in=UNPLANNED)
    return list(rows.values_list("pk", flat=True)[:limit])


def _planned(batch: Batch, after: UUID | None, limit: int) -> list[UUID]:
    rows = Notification.objects.filter(batch_id=batch.pk, status=NotificationStatus.PROCESSING).order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.values_list("pk", flat=True)[:limit])
