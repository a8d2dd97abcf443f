"""Many notifications at a time: each item is checked by itself, and a numbered chunk is taken once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone
from pydantic import ValidationError

from notifications import item_keys
from notifications.intake import Accepted, Refused, accept
from notifications.models import Batch, BatchChunk, Notification
from notifications.requests import NewItem
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.parsing import control_errors, field_errors
from tenants.problems import FieldError, Problem

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Items:
    """A request's items as they came. `prefix` is where they stand in the body, for the pointers."""

    documents: Sequence[Any]
    prefix: str
    check_characters: bool = False


def create(tenant: Tenant, items: Items, *, total_expected: int | None, is_test: bool) -> Document:
    """A new batch with its first items."""
    token = secrets.token_urlsafe(24)
    with tenant_scope(tenant.pk):
        batch = Batch.objects.create(tenant=tenant, token_hash=_hash(token), total_expected=total_expected)
        return _take(tenant, batch, token, items, is_test=is_test)


def add_chunk(
    tenant: Tenant, batch_id: UUID, token: str, number: int, items: Items, *, is_test: bool
) -> Document:
    """The next items of a batch. A chunk number seen before is answered again, not sent again."""
    body_hash = hashlib.sha256(orjson.dumps(items.documents, option=orjson.OPT_SORT_KEYS)).hexdigest()
    with tenant_scope(tenant.pk):
        batch = find(tenant, batch_id)
        if not hmac.compare_digest(batch.token_hash, _hash(token)):
            raise Problem(403, "permission_denied", "The batch_token is not this batch's.")
        if (seen := _seen(batch, number, body_hash)) is not None:
            return {**seen, "batch_token": token}
        if batch.canceled_at is not None:
            raise Problem(409, "batch_canceled", "The batch was canceled.")
        answer = _take(tenant, batch, token, items, is_test=is_test)
        kept = {name: value for name, value in answer.items() if name != "batch_token"}
        _keep(tenant, batch, number, body_hash, kept)
        return answer


def find(tenant: Tenant, batch_id: UUID) -> Batch:
    batch = Batch.objects.filter(tenant=tenant, pk=batch_id).first()
    if batch is None:
        raise Problem(404, "not_found", "There is no such batch.")
    return batch


def _seen(batch: Batch, number: int, body_hash: str) -> Document | None:
    chunk = BatchChunk.objects.filter(batch=batch, number=number).first()
    if chunk is None:
        return None
    if chunk.body_hash != body_hash:
        raise Problem(422, "idempotency_conflict", f"Chunk {number} came before with other notifications.")
    answer: Document = chunk.answer
    return answer


def _keep(tenant: Tenant, batch: Batch, number: int, body_hash: str, answer: Document) -> None:
    """Two requests with the same number at once: the second finds the key taken, and all it did is undone."""
    try:
        with transaction.atomic():
            BatchChunk.objects.create(
                tenant=tenant, batch=batch, number=number, body_hash=body_hash, answer=answer
            )
    except IntegrityError:
        raise Problem(
            409, "idempotency_in_progress", f"Chunk {number} is being taken.", retry_after=1
        ) from None


def _take(tenant: Tenant, batch: Batch, token: str, items: Items, *, is_test: bool) -> Document:
    requests: list[tuple[int, NewItem]] = []
    rejected: list[Document] = []
    for index, document in enumerate(items.documents):
        try:
            requests.append((index, _read(document, items)))
        except Problem as problem:
            rejected += _rejections(index, problem.errors, items.prefix)
    answers = accept_items(tenant, [request for _, request in requests], batch_id=batch.pk, is_test=is_test)
    for (index, _), answer in zip(requests, answers, strict=True):
        if isinstance(answer, Refused):
            rejected += _rejections(index, answer.errors, items.prefix)
    Batch.objects.filter(pk=batch.pk).update(updated_at=timezone.now())
    return {
        "batch_id": str(batch.pk),
        "batch_token": token,
        "accepted": sum(isinstance(answer, Accepted) for answer in answers),
        "rejected": sorted(rejected, key=lambda item: item["index"]),
        "total_accepted": Notification.objects.filter(batch_id=batch.pk).count(),
    }


def _read(document: Any, items: Items) -> NewItem:
    if items.check_characters and (errors := control_errors(document)):
        raise Problem(400, "validation_error", errors[0].detail, errors=errors)
    try:
        return NewItem.model_validate(document)
    except ValidationError as error:
        raise Problem(400, "validation_error", "", errors=field_errors(error, document=document)) from None


def _rejections(index: int, errors: Sequence[FieldError], prefix: str) -> list[Document]:
    return [
        {"index": index, "code": e.code, "detail": e.detail, "pointer": f"{prefix}/{index}{e.pointer}"}
        for e in errors
    ]


def accept_items(
    tenant: Tenant, requests: Sequence[NewItem], *, batch_id: UUID, is_test: bool
) -> list[Accepted | Refused]:
    """`accept`, but an item whose own idempotency key was seen before is answered again."""
    seen = item_keys.seen(tenant, requests)
    fresh = [request for place, request in enumerate(requests) if place not in seen]
    answers = iter(accept(tenant, fresh, batch_id=batch_id, is_test=is_test))
    merged = [seen[place] if place in seen else next(answers) for place in range(len(requests))]
    item_keys.keep(
        tenant, [(r, a) for p, (r, a) in enumerate(zip(requests, merged, strict=True)) if p not in seen]
    )
    return merged


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
