"""Writing a recipient's feed: what is told to them, in the order it came.

Runs inside the caller's `tenant_scope` and returns the frames to push when it has been committed.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction

from notifications.mailbox import show
from notifications.models import FeedItem
from notifications.realtime.frames import Address, Frame
from tenants.bulk import copy_rows


@dataclass(frozen=True, slots=True)
class NewItem:
    """A notification for somebody's feed; `id` is the notification's."""

    id: UUID
    recipient_id: UUID
    type: str
    category: str
    title: str
    body: str
    action: dict[str, Any] | None
    data: dict[str, Any]
    created_at: dt.datetime
    icon: str = ""


def store(tenant_id: UUID, items: Sequence[NewItem]) -> list[Frame]:
    """Put a chunk into its recipients' feeds. What is already there stays as it is and costs no number.

    Call it once a transaction: it locks feeds, in order, until the end of it.
    """
    fresh = _unstored(items)
    while fresh:
        try:
            with transaction.atomic():
                return _store(tenant_id, fresh)
        except IntegrityError:
            fresh, before = _unstored(fresh), fresh
            if len(fresh) == len(before):
                raise
            # Somebody else stored some of them since we looked; the others are still ours.
    return []


def _unstored(items: Sequence[NewItem]) -> list[NewItem]:
    by_id = {item.id: item for item in items}
    stored = set(FeedItem.objects.filter(pk__in=by_id).values_list("pk", flat=True))
    return [item for item in by_id.values() if item.id not in stored]


def _store(tenant_id: UUID, fresh: Sequence[NewItem]) -> list[Frame]:
    feeds = _advance(tenant_id, Counter(item.recipient_id for item in fresh))
    rows = [_row(tenant_id, item, next(feeds[item.recipient_id].numbers)) for item in fresh]
    copy_rows(FeedItem, _COLUMNS, map(_values, rows))
    return [
        Frame(address, "notification:new", show(row), row.seq)
        for row in rows
        if (address := feeds[row.recipient_id].address)
    ]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The numbers a feed gave out for a chunk. Without an address nobody can be connected."""

    numbers: count[int]
    address: Address | None


# Feeds are locked in the order of their recipients: chunks that share some wait, and never for each other.
_ADVANCE = """
WITH advanced AS (
    INSERT INTO notifications_feed AS feed (recipient_id, tenant_id, seq, unread)
    SELECT recipient_id, %(tenant)s, n, n
    FROM unnest(%(recipients)s::uuid[], %(counts)s::int[]) AS told (recipient_id, n)
    ORDER BY recipient_id
    ON CONFLICT (recipient_id) DO UPDATE
        SET seq = feed.seq + excluded.seq, unread = feed.unread + excluded.unread
    RETURNING recipient_id, seq
)
SELECT recipient_id, seq, recipient.type, recipient.external_id
FROM advanced LEFT JOIN preferences_recipient AS recipient ON recipient.id = recipient_id
"""


def _advance(tenant_id: UUID, news: Counter[UUID]) -> dict[UUID, _Stretch]:
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "recipients": list(news),
        "counts": list(news.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, values)
        rows = cursor.fetchall()
    return {
        recipient_id: _Stretch(
            numbers=count(seq - news[recipient_id] + 1),
            address=None if kind is None else Address(tenant_id, kind, external_id),
        )
        for recipient_id, seq, kind, external_id in rows
    }


_COLUMNS = (
    *("id", "tenant_id", "recipient_id", "seq", "type", "category", "title", "body", "action", "icon"),
    *("data", "created_at"),
)


def _row(tenant_id: UUID, item: NewItem, seq: int) -> FeedItem:
    return FeedItem(
        id=item.id,
        tenant_id=tenant_id,
        recipient_id=item.recipient_id,
        seq=seq,
        type=item.type,
        category=item.category,
        title=item.title,
        body=item.body,
        action=item.action,
        icon=item.icon,
        data=item.data,
        created_at=item.created_at,
    )


def _values(row: FeedItem) -> tuple[Any, ...]:
    action = None if row.action is None else orjson.dumps(row.action).decode()
    return (
        *(row.pk, row.tenant_id, row.recipient_id, row.seq, row.type, row.category, row.title, row.body),
        *(action, row.icon, orjson.dumps(row.data).decode(), row.created_at),
    )
