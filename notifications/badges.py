"""The number on an app's icon: how many its recipient has not read once a push message has arrived."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from django.db import connection

from delivery.queue import NewDelivery
from tenants.bulk import uuid_array


def with_badges(deliveries: Sequence[NewDelivery]) -> list[NewDelivery]:
    """The same, with `badge` in the payload of those that may go by push: one query, none where none does.

    A notification counts where it goes into the feed too, and so do those before it in the chunk. What else
    is on its way there does not: the next message sets it right. Called in the tenant's scope.
    """
    wanted = {d.recipient_id for d in deliveries if d.recipient_id is not None and _may_push(d)}
    if not wanted:
        return list(deliveries)
    unread = dict.fromkeys(wanted, 0) | _unread(wanted)
    uncounted = {d.notification_id for d in deliveries if d.routes[0][0] == "in_app"}
    result = []
    for delivery in deliveries:
        if (recipient := delivery.recipient_id) in unread:
            unread[recipient] += delivery.notification_id in uncounted
            uncounted.discard(delivery.notification_id)
        result.append(_badged(delivery, unread))
    return result


def _badged(delivery: NewDelivery, unread: dict[UUID, int]) -> NewDelivery:
    if delivery.recipient_id is None or not _may_push(delivery):
        return delivery
    return replace(delivery, payload={**delivery.payload, "badge": unread[delivery.recipient_id]})


def _may_push(delivery: NewDelivery) -> bool:
    return any(channel == "push" for channel, _ in delivery.routes)


def _unread(recipients: Collection[UUID]) -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT recipient_id, unread FROM notifications_feed WHERE recipient_id = ANY(%s::uuid[])",
            [uuid_array(recipients)],
        )
        return dict(cursor.fetchall())
