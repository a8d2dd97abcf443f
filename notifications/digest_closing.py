"""Closing digests whose time has come: each becomes a notification, which is planned like any other.

A digest is locked, its events are read, and its notification is stored, in one transaction: a worker that
dies has closed nothing, and of two that come at once one finds nothing to do.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction

from notifications import digests, rings
from notifications.models import Digest, Intake
from tenants.bulk import recordset, uuid_array
from tenants.context import installation_scope, tenant_scope
from tenants.ids import new_id

logger = logging.getLogger(__name__)

_SWEEP = 5_000
"""Digests that one sweep closes, the longest due first: the next is a second later."""


def close_due(*, now: dt.datetime) -> int:
    """Close what is due, a chunk a transaction. How many that were.

    A tenant whose digests cannot be closed does not keep the others' waiting.
    """
    due = Digest.objects.filter(closed_at=None, closes_at__lte=now).order_by("closes_at")
    by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
    with installation_scope():
        for tenant_id, id in due.values_list("tenant_id", "pk")[:_SWEEP]:
            by_tenant[tenant_id].append(id)
    closed = 0
    for tenant_id, ids in by_tenant.items():
        try:
            closed += sum(close(tenant_id, chunk, now=now) for chunk in _chunks(ids))
        except Exception:
            logger.exception("digests cannot be closed", extra={"tenant": tenant_id})
    return closed


def _chunks(ids: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    size = settings.NOTIFICATION_CHUNK_SIZE
    return (ids[start : start + size] for start in range(0, len(ids), size))


_TAKE = """
    SELECT id FROM notifications_digest
     WHERE id = ANY(%(ids)s::uuid[]) AND tenant_id = %(tenant_id)s
       AND closed_at IS NULL AND (closes_at <= %(now)s OR %(early)s)
     ORDER BY id FOR UPDATE SKIP LOCKED
"""


def close(tenant_id: UUID, ids: Sequence[UUID], *, now: dt.datetime, early: bool = False) -> int:
    """Close what of `ids` is open and due; `early`: also what is not due yet. How many that were.

    One that somebody is joining or leaving this instant is passed over.
    """
    params: dict[str, Any] = {"ids": uuid_array(ids), "tenant_id": tenant_id, "now": now, "early": early}
    with tenant_scope(tenant_id):
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, params)
            taken = [id for (id,) in cursor.fetchall()]
        made = tell(tenant_id, taken, now=now) if taken else []
        transaction.on_commit(partial(rings.plan, tenant_id, [(one.id, one.priority) for one in made]))
    return len(taken)


@dataclass(frozen=True, slots=True)
class Listed:
    """An event as a digest's message lists it, in the order of `_LISTED`."""

    digest_id: UUID
    id: UUID
    data: dict[str, Any]
    at: dt.datetime
    priority: int
    total: int
    deadline: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Telling:
    """A digest's notification to be: `latest` is the event whose wording, channels and kind it takes over."""

    id: UUID
    digest_id: UUID
    latest: UUID
    priority: int
    data: Mapping[str, Any]
    deadline: dt.datetime | None
    trace: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, digest_id: UUID, events: Sequence[Listed], now: dt.datetime) -> Telling:
        last = events[-1]
        data = digests.told(last.data, [(event.at, event.data) for event in events], last.total)
        trace = list(_trace(events, now))
        return cls(new_id(), digest_id, last.id, last.priority, data, last.deadline, trace)


def tell(tenant_id: UUID, digest_ids: Sequence[UUID], *, now: dt.datetime) -> list[Telling]:
    """Close these, which the caller has locked, and store what tells them; one that all have left is deleted.

    What expired meanwhile is left out, and ends. Six statements at most, however many they are.
    """
    tellings = [
        Telling.of(digest_id, list(events), now)
        for digest_id, events in groupby(_listed(digest_ids, now), key=lambda event: event.digest_id)
    ]
    if len(tellings) < len(digest_ids):
        digests.forget_empty(digest_ids)
    if tellings:
        _store(tellings, now)
        _mark_closed(tellings, now)
        Intake.objects.create(tenant_id=tenant_id, accepted=len(tellings), created_at=now)
    return tellings


_EXPIRE = """
    UPDATE notifications_notification
       SET digest_id = NULL, status = 'expired', reason = 'expired', changed_at = %(now)s
     WHERE digest_id = ANY(%(ids)s::uuid[]) AND expires_at <= %(now)s
"""

# The newest that a message lists; how many there are in all, and when the last of them is over, is counted
# over the whole digest before the limit cuts it.
_LISTED = """
    SELECT g.id, e.id, e.data, e.at, e.priority, e.total, e.deadline
      FROM unnest(%(ids)s::uuid[]) AS g(id)
     CROSS JOIN LATERAL (
        SELECT n.id, n.data, coalesce(n.send_at, n.created_at) AS at, n.priority, count(*) OVER () AS total,
               CASE WHEN count(n.expires_at) OVER () = count(*) OVER () THEN max(n.expires_at) OVER () END
               AS deadline
          FROM notifications_notification n WHERE n.digest_id = g.id
         ORDER BY at DESC, n.id DESC LIMIT %(limit)s
     ) e
     ORDER BY g.id, e.at, e.id
"""


def _listed(digest_ids: Sequence[UUID], now: dt.datetime) -> list[Listed]:
    params = {"ids": uuid_array(digest_ids), "now": now, "limit": settings.NOTIFICATION_DIGEST_ITEMS}
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, params)
        cursor.execute(_LISTED, params)
        return [
            Listed(digest, id, orjson.loads(data), *rest) for digest, id, data, *rest in cursor.fetchall()
        ]


def _trace(events: Sequence[Listed], now: dt.datetime) -> Iterable[dict[str, Any]]:
    """Which events it tells; of more than a message lists, how many."""
    step = {"at": now.isoformat().replace("+00:00", "Z"), "step": "digest"}
    if more := events[-1].total - len(events):
        yield {**step, "decision": "not_listed", "reason": f"{more} earlier events"}
    for event in events:
        yield {**step, "decision": "tells", "reason": f"event:{event.id}"}


# Files stay with the event that brought them: a digest is no letter with a week's attachments.
_STORE = """
    INSERT INTO notifications_notification
           (id, tenant_id, recipient_external_id, recipient_type, template_code, template_version_id, data,
            channels, category, type, priority, action, expires_at, reference, metadata, overrides, is_test,
            is_digest, status, reason, trace, created_at, changed_at)
    SELECT s.id, e.tenant_id, e.recipient_external_id, e.recipient_type, e.template_code,
           e.template_version_id, s.data, e.channels, e.category, e.type, e.priority, e.action, s.deadline,
           '', '{}', e.overrides #- '{email,attachments}', e.is_test, true, 'accepted', '', s.trace,
           %(now)s, %(now)s
      FROM json_to_recordset(%(rows)s::json) AS s(id uuid, latest uuid, data jsonb, deadline timestamptz,
                                                  trace jsonb)
      JOIN notifications_notification e ON e.id = s.latest
"""


def _store(tellings: Sequence[Telling], now: dt.datetime) -> None:
    rows = [
        {"id": t.id, "latest": t.latest, "data": t.data, "deadline": t.deadline, "trace": t.trace}
        for t in tellings
    ]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, {"rows": recordset(rows), "now": now})


_CLOSE = """
    UPDATE notifications_digest g SET closed_at = %(now)s, notification_id = s.notification_id
      FROM json_to_recordset(%(rows)s::json) AS s(id uuid, notification_id uuid)
     WHERE g.id = s.id
"""


def _mark_closed(tellings: Sequence[Telling], now: dt.datetime) -> None:
    rows = [{"id": telling.digest_id, "notification_id": telling.id} for telling in tellings]
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"rows": recordset(rows), "now": now})
