"""The attachments of a request: read and judged before anything is stored, then kept under their hashes."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from delivery import attachments
from notifications.requests import NewNotification
from templates_app.overrides import AttachmentFields
from tenants.problems import FieldError

_PLACE = "/overrides/email/attachments"


def given(request: NewNotification) -> Sequence[AttachmentFields]:
    email = request.overrides.email if request.overrides else None
    return (email.attachments or ()) if email else ()


def errors(request: NewNotification) -> Iterator[FieldError]:
    """What is wrong with them, as far as can be seen without fetching any."""
    sizes = []
    for index, file in enumerate(given(request)):
        content = _content(file)
        if file.content is not None and content is None:
            yield FieldError(f"{_PLACE}/{index}/content", "invalid_base64", "This is not base64.")
        sizes.append(len(content or b""))
        if problem := attachments.unfit(file.filename, sizes[-1]):
            yield FieldError(f"{_PLACE}/{index}", problem.code, problem.detail)
    if problem := attachments.too_much(sizes):
        yield FieldError(_PLACE, problem.code, problem.detail)


def keep(tenant_id: UUID, request: NewNotification, *, due: dt.datetime) -> list[dict[str, Any]]:
    """Store what came in the request, inside the tenant's scope; what the notification holds instead."""
    until = due + attachments.KEPT_FOR
    return [_reference(tenant_id, file, until) for file in given(request)]


_STILL_SENT = """
    SELECT EXISTS (SELECT FROM notifications_notification
                    WHERE tenant_id = %s AND overrides #> '{email,attachments}' IS NOT NULL
                      AND overrides #> '{email,attachments}' @> %s::jsonb)
"""


def discard(tenant_id: UUID, sha256: str) -> bool:
    """Delete a stored file if no notification has it any more, inside the tenant's scope; whether it went."""
    return attachments.discard(tenant_id, sha256, unless=partial(_is_still_sent, tenant_id, sha256))


def _is_still_sent(tenant_id: UUID, sha256: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_STILL_SENT, [tenant_id, orjson.dumps([{"sha256": sha256}]).decode()])
        (is_sent,) = cursor.fetchone()
        return bool(is_sent)


def _reference(tenant_id: UUID, file: AttachmentFields, until: dt.datetime) -> dict[str, Any]:
    about = file.model_dump(mode="json", exclude_none=True, exclude={"content"})
    if (content := _content(file)) is not None:
        about["sha256"] = attachments.keep(tenant_id, content, until=until)
    return about


def _content(file: AttachmentFields) -> bytes | None:
    """The bytes that came along; None where there are none, or where they cannot be read."""
    try:
        return None if file.content is None else base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        return None
