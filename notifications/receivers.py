"""News from delivery: rolled up into notifications, kept in feeds, pushed to sockets.

It runs inside the transaction that settles a chunk and recomputes from rows, so it may run twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from delivery.signals import Change
from notifications import alerts, capping, digests, feed, rings
from notifications.models import Notification, Priority
from notifications.realtime.push import publish_on_commit
from tenants.bulk import recordset, uuid_array


def on_deliveries_changed(*, tenant_id: UUID, changes: Sequence[Change], **kwargs: Any) -> None:
    if not changes:
        return
    publish_on_commit(feed.store(tenant_id, _feed_items(changes)))
    if causes := alerts.causes(changes):
        transaction.on_commit(partial(alerts.tell, tenant_id, causes))
    if roll_up({change.notification_id for change in changes}):
        transaction.on_commit(partial(rings.plan_waiting, priority=Priority.NORMAL))
    _trace(changes)


_TRACE = """
    UPDATE notifications_notification n SET trace = n.trace || s.steps
      FROM json_to_recordset(%s::json) AS s(id uuid, steps jsonb) WHERE n.id = s.id
"""


def _trace(changes: Sequence[Change]) -> None:
    """Add what was decided again; the notifications are locked by now."""
    steps: dict[UUID, list[Any]] = defaultdict(list)
    for change in changes:
        if change.steps:
            steps[change.notification_id] += change.steps
    if steps:
        rows = [{"id": id, "steps": told} for id, told in steps.items()]
        with connection.cursor() as cursor:
            cursor.execute(_TRACE, [recordset(rows)])


def _feed_items(changes: Sequence[Change]) -> list[feed.NewItem]:
    stored = [change for change in changes if change.content is not None and change.recipient_id is not None]
    ids = [change.notification_id for change in stored]
    rows = Notification.objects.only(*_SHOWN).in_bulk(ids)
    return [_feed_item(change, rows[change.notification_id]) for change in stored]


_SHOWN = ("type", "category", "action", "overrides", "data", "created_at")


def _feed_item(change: Change, notification: Notification) -> feed.NewItem:
    assert change.content is not None
    assert change.recipient_id is not None
    said = {**change.content.overrides, **notification.overrides.get("in_app", {})}
    return feed.NewItem(
        id=notification.pk,
        recipient_id=change.recipient_id,
        type=notification.type,
        category=notification.category,
        title=change.content.title or change.content.subject,
        body=change.content.body,
        action=notification.action or said.get("action"),
        icon=said.get("icon", ""),
        data=notification.data,
        created_at=notification.created_at,
    )


_LOCK = "SELECT id FROM notifications_notification WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"

# The furthest that any leg came is how far the notification is. What was sent never goes back to processing,
# also when it did not arrive and another route is on its way.
_ROLL_UP = """
    UPDATE notifications_notification n
       SET status = legs.status, changed_at = now(),
           reason = CASE WHEN legs.status IN ('processing', 'sent', 'delivered') THEN '' ELSE legs.reason END
      FROM (SELECT DISTINCT ON (d.notification_id) d.notification_id, d.reason,
                   CASE WHEN d.status IN ('queued', 'deferred', 'sending') THEN 'processing'
                        ELSE d.status END AS status
              FROM delivery_delivery d
             WHERE d.notification_id = ANY(%s::uuid[])
             ORDER BY d.notification_id,
                      array_position(ARRAY['delivered', 'sent', 'sending', 'queued', 'deferred', 'failed',
                                           'expired', 'suppressed', 'canceled'], d.status::text)) legs
     WHERE n.id = legs.notification_id AND n.status <> legs.status
       AND NOT (legs.status = 'processing' AND n.status IN ('sent', 'delivered'))
    RETURNING n.batch_id, CASE WHEN n.is_digest THEN n.id END,
              CASE WHEN n.places IS NOT NULL AND n.status IN ('failed', 'expired', 'suppressed', 'canceled')
                   THEN n.id END
"""


def roll_up(notification_ids: set[UUID]) -> bool:
    """Bring the notifications' statuses up to their deliveries'. Whether any of them belongs to a batch."""
    ids = uuid_array(notification_ids)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [ids])
        cursor.execute(_ROLL_UP, [ids])
        changed = cursor.fetchall()
    if tellings := [telling for _, telling, _ in changed if telling is not None]:
        digests.follow(tellings)
    if ended := [id for _, _, id in changed if id is not None]:
        capping.give_back(ended)
    return any(batch_id is not None for batch_id, _, _ in changed)
