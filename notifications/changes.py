"""What recipients do with the items of their feed: receive, see, read, click, archive and delete them.

Every change is one statement that changes a row only if it is still as it should be, so `Feed.unread` is
right whoever else is at it. Each function runs inside the caller's `tenant_scope` and returns the frames that
are to be pushed when it has been committed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery.escalation import mark_seen as stop_escalation
from delivery.receipts import mark_delivered
from notifications.mailbox import Mailbox, unread_count
from notifications.realtime.frames import Frame


@dataclass(frozen=True, slots=True)
class Changed:
    """The items that really changed, the unread count after it, and what to push."""

    ids: list[UUID]
    unread: int
    frames: list[Frame]


@dataclass(frozen=True, slots=True)
class _Change:
    """A change in SQL: the rows it `applies` to; those of them `counted` add `step` to the unread count.

    `counted` reads columns that `assign` leaves alone. An unread item is neither read, archived nor deleted.
    `proves_seen`: only who saw an item does such a thing to it. `says`: more for its frames.
    """

    frame: str
    assign: str
    applies: str
    counted: str = "FALSE"
    step: int = 0
    proves_seen: bool = True
    says: Mapping[str, Any] = field(default_factory=dict)


_FIRST_SIGN = "delivered_at = coalesce(delivered_at, %(now)s)"
_SIGHT = f"seen_at = coalesce(seen_at, %(now)s), {_FIRST_SIGN}"

_RECEIVED = _Change(
    "notification:status",
    "delivered_at = %(now)s",
    "delivered_at IS NULL",
    proves_seen=False,
    says={"status": "delivered"},
)
_SEEN = _Change("notification:seen", f"seen_at = %(now)s, {_FIRST_SIGN}", "seen_at IS NULL")
_CLICKED = _Change("notification:clicked", f"clicked_at = %(now)s, {_SIGHT}", "clicked_at IS NULL")
_READ = _Change(
    "notification:read",
    f"read_at = %(now)s, {_SIGHT}",
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
_UNARCHIVED = _Change(
    "notification:unarchive",
    "archived_at = NULL",
    "archived_at IS NOT NULL",
    counted="read_at IS NULL",
    step=1,
)
_DELETED = _Change(
    "notification:delete",
    "deleted_at = %(now)s",
    "TRUE",
    counted="read_at IS NULL AND archived_at IS NULL",
    step=-1,
)


def mark_received(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """A client acknowledged these: their in-app delivery is `delivered`."""
    return _change(_RECEIVED, of, ids)


def mark_seen(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """They stood before the recipient's eyes, and are as unread as before."""
    return _change(_SEEN, of, ids)


def mark_clicked(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """The recipient followed their action, and so saw them. Whether that reads them, the client says."""
    return _change(_CLICKED, of, ids)


def mark_read(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """Read, and so seen and received as well."""
    return _change(_READ, of, ids)


def mark_unread(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    return _change(_UNREAD, of, ids)


def archive(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    return _change(_ARCHIVED, of, ids)


def unarchive(of: Mailbox, ids: Sequence[UUID]) -> Changed:
    """Back into the feed, in its old place."""
    return _change(_UNARCHIVED, of, ids)


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
        stop_escalation(tenant_id, [row.id for row in changed], at)
    if acknowledged := [row.id for row in changed if row.acknowledged]:
        mark_delivered(tenant_id, "in_app", acknowledged, at)


def _change(change: _Change, of: Mailbox, ids: Sequence[UUID]) -> Changed:
    now = timezone.now()
    changed, unread = _apply(change, of, list(ids), now)
    _told(change, of, changed, now)
    frames = [
        Frame(of.address, change.frame, {"id": row.id, **change.says, "unread_count": unread})
        for row in changed
    ]
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
