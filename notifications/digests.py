"""Events that are told together: they join the open digest of their recipient and key, or go out at once.

The row of an open digest is what all agree on. Whoever joins locks it by the statement that finds or opens
it; whoever closes it or takes an event out locks it too. So two events of one instant never make two, and
none joins what is being closed. `digest_closing` is the other half.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from notifications.models import Priority
from templates_app.digest_windows import HELD, closes_at
from tenants.bulk import recordset, uuid_array
from tenants.ids import new_id

Address = tuple[str, str, str, bool]
"""Whose digest it is: the recipient's type and id, the key, and whether it is for tests."""


@dataclass(frozen=True, slots=True)
class Event:
    """A notification that is to be told with others; no `window` where the request said: not this one.

    `timezone` is its recipient's. Without an external id nobody could be found again.
    """

    id: UUID
    recipient_type: str
    recipient_external_id: str
    is_test: bool
    key: str
    window: str | None
    timezone: str
    priority: int
    expires_at: dt.datetime | None

    @property
    def address(self) -> Address:
        return self.recipient_type, self.recipient_external_id, self.key, self.is_test


@dataclass(frozen=True, slots=True)
class Joining:
    """Whether an event joins a digest, which closes at `closes_at` if this is its first event, and why not.

    `reason`: `joins`, what else makes it wait, `not_wanted`, `urgent`, `no_recipient_id`, `not_held` or
    `expires_before_digest`.
    """

    closes_at: dt.datetime | None
    reason: str


NOT_HELD = "not_held"


def decide(event: Event, *, now: dt.datetime, held_until: dt.datetime | None = None) -> Joining:
    """What would be over before the digest closes is told at once: late is never, and never is worse.

    `held_until` is when quiet hours let it go, where what they held is to be told together.
    """
    if event.window is None:
        return Joining(None, "not_wanted")
    if event.priority == Priority.URGENT:
        return Joining(None, "urgent")
    if not event.recipient_external_id:
        return Joining(None, "no_recipient_id")
    closes = _closes_at(event, now, held_until)
    if closes is None:
        return Joining(None, NOT_HELD)
    if event.expires_at is not None and event.expires_at <= closes:
        return Joining(None, "expires_before_digest")
    return Joining(closes, "joins")


def _closes_at(event: Event, now: dt.datetime, held_until: dt.datetime | None) -> dt.datetime | None:
    assert event.window is not None
    closes = None if event.window == HELD else closes_at(event.window, now, event.timezone)
    return max((moment for moment in (closes, held_until) if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of an event: the digest that it is in now, or None and why it is told at once."""

    digest_id: UUID | None
    reason: str


def gather(
    tenant_id: UUID, wishes: Sequence[tuple[Event, Joining]], *, now: dt.datetime
) -> dict[UUID, Gathered]:
    """Let those join that are to, and say of each, by its id, what became of it. One statement, or none.

    Inside the tenant's scope; call it once a transaction: it locks digests, in order, until the end of it.
    """
    joining = [(event, wish.closes_at) for event, wish in wishes if wish.closes_at is not None]
    joined = _join(tenant_id, joining, now)
    return {event.id: Gathered(joined.get(event.id), wish.reason) for event, wish in wishes}


# An open one is updated, though only perhaps changed: that locks it until it is known who is in it. The
# shortest of several windows counts, so that no event waits longer than was said with it.
_JOIN = """
    INSERT INTO notifications_digest AS open
           (id, tenant_id, opened_at, recipient_type, recipient_external_id, key, is_test, "window",
            closes_at)
    SELECT wanted.id, %(tenant_id)s, %(now)s, recipient_type, recipient_external_id, key, is_test, "window",
           closes_at
      FROM json_to_recordset(%(rows)s::json) AS wanted
           (id uuid, recipient_type text, recipient_external_id text, key text, is_test boolean,
            "window" text, closes_at timestamptz)
     ORDER BY recipient_type, recipient_external_id, key, is_test
    ON CONFLICT (tenant_id, recipient_type, recipient_external_id, key, is_test) WHERE closed_at IS NULL
    DO UPDATE SET closes_at = least(open.closes_at, excluded.closes_at)
    RETURNING recipient_type, recipient_external_id, key, is_test, id
"""


def _join(tenant_id: UUID, events: Sequence[tuple[Event, dt.datetime]], now: dt.datetime) -> dict[UUID, UUID]:
    """The digest of each event, by the event's id: the open one, or one that it opens."""
    first: dict[Address, tuple[Event, dt.datetime]] = {}
    for event, closes in events:
        if event.address not in first or closes < first[event.address][1]:
            first[event.address] = event, closes
    if not first:
        return {}
    rows = [_row(event, closes) for event, closes in first.values()]
    with connection.cursor() as cursor:
        cursor.execute(_JOIN, {"tenant_id": tenant_id, "now": now, "rows": recordset(rows)})
        found: dict[Address, UUID] = {tuple(address): id for *address, id in cursor.fetchall()}
    return {event.id: found[event.address] for event, _ in events}


def _row(event: Event, closes: dt.datetime) -> dict[str, Any]:
    named = ("recipient_type", "recipient_external_id", "key", "is_test", "window")
    return {"id": new_id(), "closes_at": closes, **{name: getattr(event, name) for name in named}}


_HOLD_OPEN = """
    SELECT g.id FROM notifications_digest g
     WHERE g.closed_at IS NULL AND g.id IN (SELECT digest_id FROM notifications_notification
                                             WHERE id = ANY(%(ids)s::uuid[]) AND digest_id IS NOT NULL)
     ORDER BY g.id FOR UPDATE
"""

_LEAVE = """
    UPDATE notifications_notification n
       SET digest_id = NULL, status = 'canceled', reason = 'canceled', changed_at = %(now)s
      FROM notifications_digest g
     WHERE n.id = ANY(%(ids)s::uuid[]) AND g.id = n.digest_id AND g.closed_at IS NULL
"""


def leave(notification_ids: Sequence[UUID]) -> int:
    """Cancel what of these waits in a digest that is open, and take it out. How many that were."""
    params: dict[str, Any] = {"ids": uuid_array(notification_ids), "now": timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_OPEN, params)
        held = [id for (id,) in cursor.fetchall()]
        if not held:
            return 0
        cursor.execute(_LEAVE, params)
        left = int(cursor.rowcount)
    forget_empty(held)
    return left


_FORGET_EMPTY = """
    DELETE FROM notifications_digest g
     WHERE g.id = ANY(%s::uuid[])
       AND NOT EXISTS (SELECT FROM notifications_notification n WHERE n.digest_id = g.id)
"""


def forget_empty(digest_ids: Sequence[UUID]) -> None:
    """Delete those that all have left; the caller has locked them. There is nothing to tell, nor to keep."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_EMPTY, [uuid_array(digest_ids)])


_FOLLOW = """
    UPDATE notifications_notification e
       SET status = told.status, changed_at = %(now)s
      FROM (SELECT g.id, CASE WHEN n.status IN ('accepted', 'scheduled') THEN 'processing' ELSE n.status END
                   AS status
              FROM notifications_digest g JOIN notifications_notification n ON n.id = g.notification_id
             WHERE g.notification_id = ANY(%(ids)s::uuid[])) told
     WHERE e.digest_id = told.id AND e.status <> told.status
"""


def follow(notification_ids: Collection[UUID]) -> None:
    """What tells a digest has a new status: its events share it.

    Call it with those rows locked, so that of two changes the later one is copied last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"ids": uuid_array(notification_ids), "now": timezone.now()})


def told(data: Mapping[str, Any], items: Sequence[tuple[dt.datetime, Mapping[str, Any]]], total: int) -> Any:
    """What a template is rendered with: the newest event's data, and of each event its data and its time.

    `items` are those that the message lists, oldest first; `count` is how many they are, `total` how many
    events there were.
    """
    listed = [{"at": _at(at), **of_event} for at, of_event in items]
    return {**data, "items": listed, "count": len(listed), "total": total}


GIVEN = frozenset({"items", "count", "total"})
"""The names that `told` adds: a template may use them though no request brings them."""


def _at(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
