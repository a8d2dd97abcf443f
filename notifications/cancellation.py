"""Stopping what has not left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from delivery import intervening
from delivery.models import Delivery
from notifications import digests
from notifications.models import UNPLANNED, Batch, Notification, NotificationStatus
from notifications.receivers import roll_up
from tenants.context import tenant_scope


def cancel(tenant_id: UUID, notification_id: UUID) -> bool:
    """Cancel the notification, or those of its deliveries that have not left. False when there were none.

    What waits in a digest leaves it; once that is closed, the whole digest can be canceled, or none of it.
    """
    with tenant_scope(tenant_id):
        return _cancel_unplanned(tenant_id, [notification_id]) > 0 or _cancel_planned([notification_id])


def _cancel_unplanned(tenant_id: UUID, ids: Sequence[UUID]) -> int:
    rows = Notification.objects.filter(tenant_id=tenant_id, pk__in=ids, status__in=UNPLANNED)
    canceled = rows.update(status=NotificationStatus.CANCELED, reason="canceled", changed_at=timezone.now())
    if canceled:
        digests.follow(ids)
    return canceled


def _cancel_planned(ids: Sequence[UUID]) -> bool:
    """The deliveries go first, so that the roll-up sees what is left."""
    canceled = intervening.cancel(ids)
    roll_up(canceled)
    return digests.leave(ids) > 0 or bool(canceled)


def cancel_many(tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Cancel what of these has not left, inside the tenant's scope."""
    _cancel_unplanned(tenant_id, ids)
    _cancel_planned(ids)


def cancel_batch(batch: Batch, *, chunk: int = 1000) -> None:
    """Cancel what of the batch has not left, a chunk a transaction."""
    with tenant_scope(batch.tenant_id):
        Batch.objects.filter(pk=batch.pk, canceled_at=None).update(
            canceled_at=timezone.now(), updated_at=timezone.now()
        )
    _cancel_each(batch.tenant_id, Notification.objects.filter(batch_id=batch.pk), chunk)


def cancel_all(tenant_id: UUID, *, chunk: int = 1000) -> None:
    """Cancel what of the tenant has not left, a chunk a transaction."""
    _cancel_each(tenant_id, Notification.objects.filter(tenant_id=tenant_id), chunk)


def _cancel_each(tenant_id: UUID, rows: QuerySet[Notification], chunk: int) -> None:
    """The unplanned ones first, so that nobody plans them meanwhile."""
    unplanned, planned = rows.filter(status__in=UNPLANNED), rows.filter(status=NotificationStatus.PROCESSING)
    _by_chunks(tenant_id, unplanned, chunk, partial(_cancel_unplanned, tenant_id))
    _by_chunks(tenant_id, planned, chunk, _cancel_planned)
    _by_chunks(tenant_id, _escalating(tenant_id, rows), chunk, _cancel_planned)


def _by_chunks(
    tenant_id: UUID, rows: QuerySet[Notification], chunk: int, work: Callable[[list[UUID]], object]
) -> None:
    """Call `work` with the ids of so many rows at a time, in order, each time in a transaction."""
    after, page = UUID(int=0), rows.order_by("pk").values_list("pk", flat=True)
    while True:
        with tenant_scope(tenant_id):
            ids = list(page.filter(pk__gt=after)[:chunk])
            if not ids:
                return
            work(ids)
        after = ids[-1]


def _escalating(tenant_id: UUID, rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """Those that were sent, and whose next channel's turn is to come. Seldom any: that is looked at first."""
    turns = Delivery.objects.filter(tenant_id=tenant_id, escalate_at__isnull=False)
    with tenant_scope(tenant_id):
        if not turns.exists():
            return rows.none()
    sent = rows.filter(status__in=[NotificationStatus.SENT, NotificationStatus.DELIVERED])
    return sent.filter(Exists(turns.filter(notification_id=OuterRef("pk"))))
