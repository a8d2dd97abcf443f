"""All that is kept of a person, as one JSON document: Regulation (EU) 2016/679, articles 15 and 20.

It is made while it is sent, a page of rows at a time: a table is a list under its name, a row an object with
every column. Rows name each other by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.utils import timezone

from notifications import holdings, traces
from preferences.directory import Key, resolve
from tenants.context import tenant_scope
from tenants.holdings import Holding, Subject
from tenants.models import Tenant

_PAGE = 1_000
Rows = Iterator[list[dict[str, Any]]]


def export(tenant: Tenant, key: Key) -> Iterator[bytes] | None:
    """The document in pieces; None when nothing is known of anybody with the key."""
    with tenant_scope(tenant.pk):
        subject = traces.subject(tenant.pk, key, resolve(tenant, [key]).get(key))
        if not subject.recipient_ids and not traces.notification_ids(subject, limit=1):
            return None
    return _document(tenant, subject)


def _document(tenant: Tenant, subject: Subject) -> Iterator[bytes]:
    about = {"tenant": tenant.slug, "type": subject.type, "id": subject.external_id}
    yield orjson.dumps({**about, "exported_at": timezone.now()})[:-1]
    for name, rows in _tables(subject):
        yield f',"{name}":['.encode()
        yield from _listed(rows)
        yield b"]"
    yield b"}"


def _tables(subject: Subject) -> Iterator[tuple[str, Rows]]:
    for of_person in holdings.OF_PEOPLE:
        yield of_person.name, _paged(subject, partial(of_person.rows, subject))
    for of_notifications in (*reversed(holdings.OF_NOTIFICATIONS), holdings.FILES):
        yield of_notifications.name, _by_notifications(subject, of_notifications)


def _paged(subject: Subject, rows: Callable[[], QuerySet[Any]]) -> Rows:
    """The rows in order of their key, a page a transaction."""
    last: Any = None
    while True:
        with tenant_scope(subject.tenant_id):
            after = rows().order_by("pk") if last is None else rows().order_by("pk").filter(pk__gt=last)
            page = list(after.values()[:_PAGE])
            key = after.model._meta.pk.attname
        if page:
            yield page
        if len(page) < _PAGE:
            return
        last = page[-1][key]


def _by_notifications(subject: Subject, holding: Holding[Sequence[UUID], Any]) -> Rows:
    """The rows of some notifications a transaction. Without a limit, lest PostgreSQL walk along the key."""
    for ids in traces.chunks(subject):
        with tenant_scope(subject.tenant_id):
            rows = list(holding.rows(ids).values())
        if rows:
            yield sorted(rows, key=itemgetter("id"))


def _listed(pages: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    separator = b""
    for page in pages:
        rows = ({name: value for name, value in row.items() if name != "tenant_id"} for row in page)
        yield separator + b",".join(orjson.dumps(row, default=str) for row in rows)
        separator = b","
