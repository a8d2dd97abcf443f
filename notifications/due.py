"""Notifications that are to be planned, as planning reads them: locked, and left to whoever was first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from notifications import digests
from notifications.models import Priority
from notifications.plans import Plan
from notifications.waiting import Case
from preferences.directory import Key
from preferences.rules import CategoryRule, Circumstances, Person, jitter
from tenants.bulk import uuid_array


@dataclass(frozen=True, slots=True)
class Due:
    """A notification that is to be planned, in the order of `_DUE`."""

    id: UUID
    recipient_external_id: str
    recipient_type: str
    recipient_once: dict[str, Any] | None
    template_version_id: UUID | None
    data: Any
    content: dict[str, str] | None
    channels: list[Any]
    category: str
    priority: int
    expires_at: dt.datetime | None
    overrides: dict[str, Any]
    action: dict[str, str] | None
    is_test: bool
    digest: dict[str, Any] | None
    is_digest: bool
    told_at: dt.datetime
    template_code: str

    @property
    def key(self) -> Key:
        return self.recipient_type, self.recipient_external_id

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Due:
        return cls(
            *(orjson.loads(value) if place in _JSON and value else value for place, value in enumerate(row))
        )

    def circumstances(self, person: Person | None, now: dt.datetime) -> Circumstances:
        seed = person.id if person is not None and person.id is not None else self.id
        return Circumstances(now, self.priority == Priority.URGENT, self.expires_at, jitter(seed))

    def case(self, made: Plan, person: Person, category: CategoryRule, now: dt.datetime) -> Case:
        at = self.circumstances(person, now)
        return Case(self.id, made, person, category, at, self._event(person), self.is_test)

    def _event(self, person: Person) -> digests.Event | None:
        """It as something that is to be told with others; None where that was never said."""
        if self.digest is None:
            return None
        told_to = *self.key, self.is_test
        how = self.digest["key"], self.digest["window"], person.timezone
        return digests.Event(self.id, *told_to, *how, self.priority, self.expires_at)


_JSON = {3, 5, 6, 7, 11, 12, 14}
_DUE = ", ".join(Due.__slots__).replace("told_at", "coalesce(send_at, created_at)")

_BY_ID = f"""
    SELECT {_DUE} FROM notifications_notification
     WHERE id = ANY(%(ids)s::uuid[]) AND tenant_id = %(tenant_id)s AND status = 'accepted'
     ORDER BY id FOR UPDATE SKIP LOCKED
"""

_NEXT = f"""
    SELECT {_DUE} FROM notifications_notification
     WHERE tenant_id = %(tenant_id)s AND status = 'accepted'
     ORDER BY priority, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


def take(tenant_id: UUID, ids: Sequence[UUID]) -> list[Due]:
    """What of `ids` is still unplanned, and in nobody else's hands."""
    return _taken(_BY_ID, tenant_id=tenant_id, ids=uuid_array(ids))


def take_next(tenant_id: UUID, limit: int) -> list[Due]:
    """Those of the tenant that wait their turn, the most urgent first."""
    return _taken(_NEXT, tenant_id=tenant_id, limit=limit)


def _taken(statement: str, **values: Any) -> list[Due]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [Due.of_row(row) for row in cursor.fetchall()]
