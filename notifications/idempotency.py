"""`Idempotency-Key`: the same request twice is answered twice and done once.

Kept in PostgreSQL, so it holds whatever happens to the cache. The answer is stored in the same transaction as
the work, so there is never one without the other. While that transaction runs it holds a lock of the key's
own, by which a second request sees that the first is still at it; a lock ends with its transaction, so a
request whose process or database died leaves nothing in the way of the next.

A key counts for `IDEMPOTENCY_HOURS`. Its row may be there for longer: beat has the old ones deleted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from notifications.models import IdempotencyKey
from tenants.context import installation_scope, tenant_scope
from tenants.models import Tenant
from tenants.problems import Problem

_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    replayed: bool = False


def request_hash(method: str, path: str, body: bytes) -> str:
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def once(tenant: Tenant, key: str | None, fingerprint: str, work: Callable[[], Answer]) -> Answer:
    """Do `work` once for `key` and answer the same ever after; without a key, just do it.

    Raises 409 while the first is still at it, 422 when the key was used for another request. When `work`
    raises, nothing is kept and the key is free again.
    """
    if key is None:
        return work()
    if not _WELL_FORMED.fullmatch(key):
        raise Problem(400, "validation_error", "Idempotency-Key takes 1 to 255 visible ASCII characters.")
    with tenant_scope(tenant.pk):
        _lock(tenant, key)
        if (seen := _seen(tenant, key, fingerprint)) is not None:
            return seen
        answer = work()
        _keep(tenant, key, fingerprint, answer)
        return answer


def _lock(tenant: Tenant, key: str) -> None:
    """Two keys with the same 64 bits would only be told to wait for each other."""
    digest = hashlib.blake2b(tenant.pk.bytes + key.encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest, signed=True)])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        detail = "The first request with this Idempotency-Key is still being worked on."
        raise Problem(409, "idempotency_in_progress", detail, retry_after=1)


def _seen(tenant: Tenant, key: str, fingerprint: str) -> Answer | None:
    row = IdempotencyKey.objects.filter(tenant=tenant, key=key, created_at__gt=remembered_since()).first()
    if row is None:
        return None
    if row.request_hash != fingerprint:
        raise Problem(422, "idempotency_conflict", "This Idempotency-Key was used for another request.")
    return Answer(row.status, row.body, replayed=True)


def _keep(tenant: Tenant, key: str, fingerprint: str, answer: Answer) -> None:
    """In the place of one that is too old, where there is one."""
    IdempotencyKey.objects.update_or_create(
        tenant=tenant,
        key=key,
        defaults={
            "request_hash": fingerprint,
            "status": answer.status,
            "body": answer.body,
            "created_at": timezone.now(),
        },
    )


def remembered_since() -> dt.datetime:
    """Keys of this moment or before it count no longer."""
    return timezone.now() - dt.timedelta(hours=settings.IDEMPOTENCY_HOURS)


# One that a request puts in the place of an old key at this moment is locked, and young when it is not.
_FORGET = """
    WITH old AS MATERIALIZED (
        SELECT id FROM notifications_idempotencykey
         WHERE created_at <= %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    DELETE FROM notifications_idempotencykey k USING old WHERE k.id = old.id
"""


def forget(*, chunk: int = 5_000, chunks: int = 10) -> int:
    """Delete keys that count no longer, of whatever tenant, the oldest first; how many they were.

    A chunk a transaction, and only so many: the worker is wanted elsewhere, and the next run takes the rest.
    """
    since, forgotten = remembered_since(), 0
    for _ in range(chunks):
        deleted = _forget_chunk(since, chunk)
        forgotten += deleted
        if deleted < chunk:
            break
    return forgotten


def _forget_chunk(since: dt.datetime, limit: int) -> int:
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_FORGET, [since, limit])
        return int(cursor.rowcount)
