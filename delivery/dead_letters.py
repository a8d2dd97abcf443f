"""Sending again what ended as a dead letter, because an operator says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction

from delivery import queue
from delivery.models import Delivery
from delivery.signals import Change, deliveries_changed
from tenants.context import tenant_scope


def retry(tenant_id: UUID, delivery_ids: Sequence[UUID]) -> int:
    """Put the tenant's dead letters among these back at the start of their routes; how many that were."""
    with tenant_scope(tenant_id):
        mine = Delivery.objects.filter(tenant_id=tenant_id, pk__in=delivery_ids).values_list("pk", flat=True)
        rows = queue.redrive(list(mine))
        deliveries_changed.send(Delivery, tenant_id=tenant_id, changes=[_change(row) for row in rows])
        waiting = [(row.pk, row.channel, row.priority) for row in rows]
        transaction.on_commit(partial(queue.ring, tenant_id, waiting))
    return len(rows)


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
