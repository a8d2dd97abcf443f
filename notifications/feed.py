"""Writing a recipient's feed: what is told to them, in the order it came, and what they do with it.

Every change is one statement that changes a row only if it is still as it should be, so `Feed.unread` is
right whoever else is at it. Each function runs inside the caller's `tenant_scope` and returns the frames that
are to be pushed when it has been committed.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from delivery.escalation import mark_seen
from delivery.receipts import mark_delivered
from notifications.mailbox import Mailbox, show, unread_count
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


@dataclass(frozen=True, slots=True)
class Changed:
    """The items that really changed, the unread count after it, and what to push."""

    ids: list[UUID]
    unread: int
    frames: list[Frame]


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


@dataclass(frozen=True, slots=True)
class _Change:
    """A change in SQL: the rows it `applies` to; those of them `counted` add `step` to the unread count.

    `counted` reads columns that `assign` leaves alone. An unread item is neither read, archived nor deleted.
    `proves_seen`: only who saw an item does such a thing to it.
    """

    frame: str
    assign: str
    applies: str
    counted: str
    step: int
    proves_seen: bool = True


_RECEIVED = _Change(
    "notification:received",
    "delivered_at = %(now)s",
    "delivered_at IS NULL",
    counted="FALSE",
    step=0,
    proves_seen=False,
)
_READ = _Change(
    "notification:read",
    "read_at = %(now)s, seen_at = coalesce(seen_at, %(now)s), delivered_at = coalesce(delivered_at, %(now)s)",
    "read_at IS NULL",
    counted="archived_at IS NULL",
    step=-1,
)
_UNREAD = _Change(
    "notification:unread", "read_at = NULL", "read_at IS NOT NULL", counted="archived_at IS NULL", step=1
)
_ARCHIVED = _Change(
    "notification:archive", "archived_at = %(now)s", "archived_at IS NULL", counted="read_at IS NULL", step=-1
)
_DELETED = _Change(
    "notification:delete",
    "deleted_at = %(now)s",
    "TRUE",
    counted="read_at IS NULL AND archived_at IS NULL",
    step=-1,
)


def mark_received(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """A client acknowledged these: their in-app delivery is `delivered`. Other sockets need not know."""
    return replace(_change(_RECEIVED, of, ids), frames=[])


def mark_read(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """Read, and so seen and received as well."""
    return _change(_READ, of, ids)


def mark_unread(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    return _change(_UNREAD, of, ids)


def archive(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    return _change(_ARCHIVED, of, ids)


def delete(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """Out of the feed for good. The row stays, so that its number is not given out again."""
    return _change(_DELETED, of, ids)


def read_all(of: Mailbox) -> Changed:
    """One frame for all: `{"up_to","unread_count"}`; what came later is still unread."""
    now = timezone.now()
    changed, unread = _apply(_READ, of, None, now)
    _told(_READ, of, changed, now)
    body = {"up_to": max((row.seq for row in changed), default=0), "unread_count": unread}
    frames = [Frame(of.address, "notification:read-all", body)] if changed else []
    return Changed([row.id for row in changed], unread, frames)


def _told(change: _Change, of: Mailbox, changed: Sequence[_Row], at: dt.datetime) -> None:
    """Tell delivery what the change proves: seen first, for it locks all that the other does."""
    tenant_id = of.address.tenant_id
    if changed and change.proves_seen:
        mark_seen(tenant_id, [row.id for row in changed], at)
    if acknowledged := [row.id for row in changed if row.acknowledged]:
        mark_delivered(tenant_id, "in_app", acknowledged, at)


def _change(change: _Change, of: Mailbox, ids: Sequence[UUID]) -> Changed:
    now = timezone.now()
    changed, unread = _apply(change, of, list(ids), now)
    _told(change, of, changed, now)
    frames = [Frame(of.address, change.frame, {"id": row.id, "unread_count": unread}) for row in changed]
    return Changed([row.id for row in changed], unread, frames)


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    seq: int
    acknowledged: bool


# Rows are locked in the order of their ids, then the feed: two changes that overlap wait, and never for each
# other. `acknowledged`: this very change was the first sign that the item had reached a client.
_APPLY = """
WITH changed AS (
    UPDATE notifications_feeditem AS item SET {assign}
    FROM (
        SELECT id FROM notifications_feeditem
        WHERE tenant_id = %(tenant)s AND recipient_id = %(recipient)s AND deleted_at IS NULL AND {applies}
            AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
        ORDER BY id FOR UPDATE
    ) AS locked
    WHERE item.id = locked.id
    RETURNING item.id, item.seq, item.delivered_at IS NOT DISTINCT FROM %(now)s AS acknowledged,
        ({counted}) AS counted
), recounted AS (
    UPDATE notifications_feed SET unread = unread + %(step)s * (SELECT count(*) FROM changed WHERE counted)
    WHERE recipient_id = %(recipient)s AND EXISTS (SELECT FROM changed WHERE counted)
    RETURNING unread
)
SELECT id, seq, acknowledged, (SELECT unread FROM recounted) FROM changed ORDER BY seq
"""


def _apply(change: _Change, of: Mailbox, ids: list[UUID] | None, now: dt.datetime) -> tuple[list[_Row], int]:
    statement = _APPLY.format(assign=change.assign, applies=change.applies, counted=change.counted)
    values: dict[str, Any] = {
        "tenant": of.address.tenant_id,
        "recipient": of.recipient_id,
        "ids": ids,
        "now": now,
        "step": change.step,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    counted = rows[0][3] if rows else None
    return [_Row(*row[:3]) for row in rows], unread_count(of) if counted is None else counted
