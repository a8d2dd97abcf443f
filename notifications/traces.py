"""Where a person's traces begin: what the directory knows of them, and which notifications were for them.

Those are what was sent to their id, and what was sent without an id to an address of theirs. Everything else
hangs on these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from preferences.directory import Key
from preferences.rules import Person
from tenants.context import tenant_scope
from tenants.holdings import Subject
from tenants.ids import first_id_at

CHUNK = 500
"""Notifications at a time."""
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


def subject(tenant_id: UUID, key: Key, person: Person | None) -> Subject:
    """Whoever has the key, whether the directory still knows them or not."""
    known = Subject(tenant_id, *key)
    if person is None or person.id is None:
        return known
    addresses = {(channel, address) for channel, many in person.addresses.items() for address in many}
    return Subject(tenant_id, *key, frozenset({person.id}), frozenset(addresses))


def stranger(tenant_id: UUID, *, email: str = "", phone: str = "") -> Subject:
    """Whoever has the address."""
    addresses = {("email", email)} if email else {("sms", phone), ("whatsapp", phone)}
    return Subject(tenant_id, addresses=frozenset(addresses))


# Each of the three is a range of its own index. A digest is told later than what it tells of was accepted.
_OF = """
    SELECT id FROM notifications_notification n
     WHERE tenant_id = %(tenant_id)s AND {whose} AND id > %(after)s
       AND (id < %(until)s
            OR is_digest AND EXISTS (SELECT FROM notifications_digest g
                                      WHERE g.notification_id = n.id AND g.opened_at < %(moment)s))
     ORDER BY id LIMIT %(limit)s
"""
_BY_ID = _OF.format(whose="recipient_external_id = %(external_id)s AND recipient_type = %(type)s")
_BY_EMAIL = _OF.format(
    whose="recipient_once IS NOT NULL AND lower(recipient_once->>'email') = ANY(%(emails)s)"
)
_BY_PHONE = _OF.format(whose="recipient_once IS NOT NULL AND recipient_once->>'phone' = ANY(%(phones)s)")


def notification_ids(
    of: Subject, *, until: dt.datetime | None = None, after: UUID = _FIRST, limit: int | None = None
) -> list[UUID]:
    """The person's next notifications in order of id, accepted before `until`. In the tenant's scope."""
    emails = [address.lower() for address in of.by("email")]
    params: dict[str, Any] = {
        "tenant_id": of.tenant_id,
        "external_id": of.external_id,
        "type": of.type,
        "emails": emails,
        "phones": of.by("sms", "whatsapp"),
        "after": after,
        "until": _LAST if until is None else first_id_at(until),
        "moment": until or dt.datetime.max.replace(tzinfo=dt.UTC),
        "limit": limit or CHUNK,
    }
    asked = [(_BY_ID, of.external_id), (_BY_EMAIL, emails), (_BY_PHONE, params["phones"])]
    found: set[UUID] = set()
    with connection.cursor() as cursor:
        for statement, whom in asked:
            if whom:
                cursor.execute(statement, params)
                found |= {id for (id,) in cursor.fetchall()}
    return sorted(found)[: params["limit"]]


def chunks(of: Subject) -> Iterator[Sequence[UUID]]:
    """All of the person's notifications, `CHUNK` at a time; no transaction is open between two."""
    after = _FIRST
    while True:
        with tenant_scope(of.tenant_id):
            ids = notification_ids(of, after=after)
        if not ids:
            return
        yield ids
        after = ids[-1]
