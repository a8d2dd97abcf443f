"""`Idempotency-Key`: the same request twice is answered twice and done once.

Kept in PostgreSQL, so it holds whatever happens to the cache. The key is taken in a transaction of its own,
before the work; the answer is stored in the same transaction as the work, so there is never one without the
other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.models import IdempotencyKey
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.problems import Problem

_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")
_ABANDONED = dt.timedelta(seconds=60)
"""A key whose work has not ended by then belongs to a process that died; its work left nothing behind."""


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
    kept = _take(tenant, key, fingerprint)
    if isinstance(kept, Answer):
        return kept
    try:
        with tenant_scope(tenant.pk):
            answer = work()
            _keep(kept, answer)
    except BaseException:
        _free(tenant, kept)
        raise
    return answer


def _take(tenant: Tenant, key: str, fingerprint: str) -> IdempotencyKey | Answer:
    with tenant_scope(tenant.pk):
        try:
            with transaction.atomic():
                return IdempotencyKey.objects.create(tenant=tenant, key=key, request_hash=fingerprint)
        except IntegrityError:
            return _seen(tenant, key, fingerprint)


def _seen(tenant: Tenant, key: str, fingerprint: str) -> IdempotencyKey | Answer:
    """The first answer, or the row taken over from one that is too old or was abandoned."""
    now = timezone.now()
    row = IdempotencyKey.objects.select_for_update().filter(tenant=tenant, key=key).first()
    if row is None:
        raise _in_progress()
    age = now - row.created_at
    if age > dt.timedelta(hours=settings.IDEMPOTENCY_HOURS) or (row.status is None and age > _ABANDONED):
        row.request_hash, row.status, row.body, row.created_at = fingerprint, None, None, now
        row.save()
        return row
    if row.request_hash != fingerprint:
        raise Problem(422, "idempotency_conflict", "This Idempotency-Key was used for another request.")
    if row.status is None:
        raise _in_progress()
    return Answer(row.status, row.body, replayed=True)


def _in_progress() -> Problem:
    detail = "The first request with this Idempotency-Key is still being worked on."
    return Problem(409, "idempotency_in_progress", detail, retry_after=1)


def _keep(row: IdempotencyKey, answer: Answer) -> None:
    """Store the answer, unless the row was taken over meanwhile: then this work must not count."""
    mine = IdempotencyKey.objects.filter(pk=row.pk, status=None, created_at=row.created_at)
    if not mine.update(status=answer.status, body=answer.body):
        raise _in_progress()


def _free(tenant: Tenant, row: IdempotencyKey) -> None:
    with tenant_scope(tenant.pk):
        IdempotencyKey.objects.filter(pk=row.pk, status=None, created_at=row.created_at).delete()
