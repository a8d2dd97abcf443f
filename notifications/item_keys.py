"""The idempotency keys that items of a batch carry: one query to look them up, one to keep them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction

from notifications.idempotency import remembered_since
from notifications.intake import Accepted, Refused
from notifications.models import IdempotencyKey
from notifications.requests import NewItem
from tenants.models import Tenant
from tenants.problems import FieldError, Problem

_CONFLICT = FieldError(
    "/idempotency_key", "idempotency_conflict", "This idempotency_key was used for another notification."
)


def seen(tenant: Tenant, requests: Sequence[NewItem]) -> dict[int, Accepted | Refused]:
    """By place in `requests`, the answers of those whose key was seen before, or before in this request."""
    keys = {request.idempotency_key for request in requests if request.idempotency_key}
    if not keys:
        return {}
    kept = IdempotencyKey.objects.filter(
        tenant=tenant, key__in=[_name(k) for k in keys], created_at__gt=remembered_since()
    )
    rows = {row.key: (row.request_hash, row.body) for row in kept}
    answers: dict[int, Accepted | Refused] = {}
    first: dict[str, int] = {}
    for place, request in enumerate(requests):
        if (key := request.idempotency_key) is None:
            continue
        if _name(key) in rows:
            known_hash, body = rows[_name(key)]
            answers[place] = _accepted(body) if known_hash == _fingerprint(request) else Refused([_CONFLICT])
        elif first.setdefault(key, place) != place:
            answers[place] = Refused([_CONFLICT])
    return answers


def keep(tenant: Tenant, answered: Sequence[tuple[NewItem, Accepted | Refused]]) -> None:
    """Remember the accepted ones, in the transaction that stored them.

    Two requests with the same key at once: the second finds it taken, and all it did is undone (409).
    """
    rows = [
        IdempotencyKey(
            tenant=tenant,
            key=_name(r.idempotency_key),
            request_hash=_fingerprint(r),
            status=202,
            body=_body(a),
        )
        for r, a in answered
        if r.idempotency_key and isinstance(a, Accepted)
    ]
    rows.sort(key=lambda row: row.key)  # so that no two requests wait for each other
    old = IdempotencyKey.objects.filter(
        tenant=tenant, key__in=[row.key for row in rows], created_at__lte=remembered_since()
    )
    try:
        with transaction.atomic():
            old.delete()
            IdempotencyKey.objects.bulk_create(rows)
    except IntegrityError:
        detail = "Another request with an idempotency_key of this one is still being worked on."
        raise Problem(409, "idempotency_in_progress", detail, retry_after=1) from None


def _name(key: str) -> str:
    """Apart from the keys of whole requests, which hold no colon-separated prefix of ours."""
    return f"item:{hashlib.sha256(key.encode()).hexdigest()}"


def _fingerprint(request: NewItem) -> str:
    document = request.model_dump(mode="json", exclude={"idempotency_key"}, exclude_unset=True)
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _body(answer: Accepted) -> dict[str, Any]:
    return {
        "id": str(answer.id),
        "status": answer.status,
        "reference": answer.reference,
        "created_at": answer.created_at.isoformat(),
        "send_at": answer.send_at.isoformat() if answer.send_at else None,
    }


def _accepted(body: Any) -> Accepted:
    send_at = dt.datetime.fromisoformat(body["send_at"]) if body["send_at"] else None
    created_at = dt.datetime.fromisoformat(body["created_at"])
    return Accepted(UUID(body["id"]), body["status"], body["reference"], created_at, send_at)
