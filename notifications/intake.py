"""The one door: whatever asks for a notification comes in by `accept`.

It checks (`notifications.checking`), stores and answers. It never calls another service; who the recipient is
and what they want is planning's business.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from notifications import files, rings
from notifications.checking import Checked, Refused, check
from notifications.models import Intake, Notification, NotificationStatus
from notifications.requests import PRIORITIES, NewNotification
from preferences.addresses import RecipientFields
from preferences.directory import merge
from tenants.bulk import copy_rows
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.problems import Problem

__all__ = ["Accepted", "Checked", "Refused", "accept", "accept_one", "check", "insert", "refusal"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored notification: its answer to the service."""

    id: UUID
    status: str
    reference: str
    created_at: dt.datetime
    send_at: dt.datetime | None


def accept(
    tenant: Tenant,
    requests: Sequence[NewNotification],
    *,
    is_test: bool = False,
    batch_id: UUID | None = None,
) -> list[Accepted | Refused]:
    """Store what can be sent and say, in order, what became of each. Bad items do not spoil good ones."""
    now = timezone.now()
    with tenant_scope(tenant.pk):
        checked = check(tenant, requests, now=now)
        good = [item for item in checked if isinstance(item, Checked)]
        ids = [new_id() for _ in good]
        insert(tenant, good, ids, now=now, is_test=is_test, batch_id=batch_id)
        stored = iter(zip(good, ids, strict=True))
        answers = [item if isinstance(item, Refused) else _answer(*next(stored), now) for item in checked]
        transaction.on_commit(lambda: _ring(tenant, good, ids, in_batch=batch_id is not None))
    return answers


def accept_one(tenant: Tenant, request: NewNotification, **options: Any) -> Accepted:
    """Store one notification, or raise the problem that it has."""
    (answer,) = accept(tenant, [request], **options)
    if isinstance(answer, Refused):
        raise refusal(answer)
    return answer


_STATUSES = {
    "validation_error": 400,
    "invalid_phone": 400,
    "invalid_base64": 400,
    "attachment_too_large": 413,
    "attachments_too_large": 413,
}


def refusal(refused: Refused) -> Problem:
    """Well-formed but impossible (422), unless what is wrong is a value's own form (400) or size (413)."""
    first = refused.errors[0]
    status = _STATUSES.get(first.code, 422)
    return Problem(status, first.code, first.detail, errors=refused.errors)


def _answer(item: Checked, id: UUID, now: dt.datetime) -> Accepted:
    status = NotificationStatus.SCHEDULED if item.send_at else NotificationStatus.ACCEPTED
    return Accepted(id, status.value, item.request.reference, now, item.send_at)


_COLUMNS = (
    *("id", "tenant_id", "recipient_external_id", "recipient_type", "recipient_once", "template_code"),
    *(
        "template_version_id",
        "data",
        "content",
        "channels",
        "category",
        "type",
        "priority",
        "action",
        "send_at",
    ),
    *(
        "expires_at",
        "reference",
        "metadata",
        "overrides",
        "batch_id",
        "is_test",
        "digest",
        "status",
        "reason",
        "trace",
    ),
    *("created_at", "changed_at"),
)


def insert(
    tenant: Tenant,
    items: Sequence[Checked],
    ids: Sequence[UUID],
    *,
    now: dt.datetime,
    is_test: bool,
    batch_id: UUID | None,
) -> None:
    """The notifications, the recipients that came with them, and the ledger's line: one transaction."""
    if not items:
        return
    merge(
        tenant,
        [
            item.recipient
            for item in items
            if isinstance(item.recipient, RecipientFields) and item.recipient.id
        ],
    )
    overrides = [_overrides(tenant, item, now) for item in items]  # no statement fits between COPY's rows
    rows = (
        _row(tenant, item, said, id, now, is_test, batch_id)
        for item, said, id in zip(items, overrides, ids, strict=True)
    )
    copy_rows(Notification, _COLUMNS, rows)
    Intake.objects.create(tenant_id=tenant.pk, accepted=len(items), created_at=now)


def _row(
    tenant: Tenant,
    item: Checked,
    overrides: dict[str, Any],
    id: UUID,
    now: dt.datetime,
    is_test: bool,
    batch_id: UUID | None,
) -> tuple[Any, ...]:
    request, template = item.request, item.choice.version
    status = NotificationStatus.SCHEDULED if item.send_at else NotificationStatus.ACCEPTED
    return (
        *(id, tenant.pk, *_whom(item.recipient), template.code if template else ""),
        *(template.version_id if template else None, _json(request.data)),
        *(_json(request.content.model_dump()) if request.content else None, _json(item.channels)),
        *(item.category.code, request.type, PRIORITIES[request.priority]),
        *(_json(request.action.model_dump(mode="json")) if request.action else None, item.send_at),
        *(
            item.expires_at,
            request.reference,
            _json(request.metadata),
            _json(overrides),
            batch_id,
            is_test,
            _json(item.digest) if item.digest else None,
        ),
        *(status.value, "", _json(_trace(item, now)), now, now),
    )


def _trace(item: Checked, now: dt.datetime) -> list[dict[str, str]]:
    """Which version of its template it is pinned to and why; planning goes on from there."""
    if item.choice.version is None:
        return []
    at, decision = now.isoformat().replace("+00:00", "Z"), f"version {item.choice.version.number}"
    return [{"at": at, "step": "version", "decision": decision, "reason": item.choice.reason}]


def _whom(recipient: str | RecipientFields) -> tuple[str, str, str | None]:
    """(id, type, addresses used once)"""
    if isinstance(recipient, str):
        return recipient, "user", None
    if recipient.id:
        return recipient.id, recipient.type, None
    return "", recipient.type, _json(recipient.model_dump(exclude_none=True))


def _overrides(tenant: Tenant, item: Checked, now: dt.datetime) -> dict[str, Any]:
    """With references in place of attachments, which are kept."""
    if item.request.overrides is None:
        return {}
    overrides = item.request.overrides.model_dump(mode="json", exclude_none=True)
    if files.given(item.request):
        kept = files.keep(tenant.pk, item.request, due=item.send_at or now)
        overrides["email"]["attachments"] = kept
    return overrides


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _ring(tenant: Tenant, items: Sequence[Checked], ids: Sequence[UUID], *, in_batch: bool) -> None:
    """A batch waits its turn, a window at a time; anything else is planned at once."""
    due = [
        (id, PRIORITIES[item.request.priority])
        for item, id in zip(items, ids, strict=True)
        if not item.send_at
    ]
    if not due:
        return
    if in_batch:
        rings.plan_waiting(priority=min(priority for _, priority in due))
    else:
        rings.plan(tenant.pk, due)
