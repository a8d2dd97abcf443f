"""What operators ask of deliveries: which ones, how many of what, and all of them as a file.

Everything is found by ids, which grow with time, so a period is a range of the primary key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from delivery.models import Delivery, DeliveryStatus, ProviderAccount
from notifications.models import Notification
from preferences.addresses import mask
from preferences.channels import CHANNELS
from tenants.context import tenant_scope
from tenants.ids import first_id_at
from tenants.parsing import RequestModel
from tenants.spreadsheets import lines

PAGE = 2_000
LONGEST = dt.timedelta(days=92)
Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Period(RequestModel):
    """From, inclusive, to, exclusive; RFC 3339."""

    since: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = Field(None, alias="to")


class DeliveryFilter(Period):
    """All that is given must hold. `recipient` is the tenant's own id."""

    status: Literal[tuple(DeliveryStatus.values)] | None = None  # type: ignore[valid-type]
    channel: Literal[CHANNELS] | None = None  # type: ignore[valid-type]
    provider: Word | None = None
    recipient: Word | None = None
    reason: Annotated[str, StringConstraints(max_length=64)] | None = None

    def of(self, tenant_id: UUID) -> QuerySet[Delivery]:
        """The tenant's deliveries that it lets through."""
        rows = Delivery.objects.filter(tenant_id=tenant_id, **_bounds(self.since, self.until))
        equal = {"status": self.status, "channel": self.channel, "reason": self.reason}
        rows = rows.filter(**{field: value for field, value in equal.items() if value is not None})
        if self.provider is not None:
            accounts = ProviderAccount.objects.filter(provider=self.provider)
            rows = rows.filter(account_id__in=list(accounts.values_list("pk", flat=True)))
        if self.recipient is not None:
            theirs = Notification.objects.filter(tenant_id=tenant_id, recipient_external_id=self.recipient)
            rows = rows.filter(notification_id__in=theirs.values("pk"))
        return rows


def _bounds(since: dt.datetime | None, until: dt.datetime | None) -> dict[str, UUID]:
    bounds = {"pk__gte": since, "pk__lt": until}
    return {lookup: first_id_at(moment) for lookup, moment in bounds.items() if moment is not None}


class DeliveryReport(BaseModel):
    """A delivery as operators see it; the address is masked unless they may see it and asked to."""

    id: UUID
    notification_id: UUID
    channel: str
    address: str
    status: str
    reason: str
    detail: str
    account: str | None
    provider: str | None
    attempts: int
    is_test: bool
    created_at: dt.datetime
    due_at: dt.datetime
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None


def shown(rows: Sequence[Delivery], *, reveal: bool = False) -> list[DeliveryReport]:
    """The reports of a page of rows; one query, for their accounts' names."""
    used = {row.account_id for row in rows if row.account_id}
    accounts = ProviderAccount.objects.in_bulk(list(used)) if used else {}
    return [_report(row, accounts.get(row.account_id), reveal) for row in rows]


def _report(row: Delivery, account: ProviderAccount | None, reveal: bool) -> DeliveryReport:
    taken = {"id", "address", "account", "provider", "attempts"}
    plain = {name: getattr(row, name) for name in DeliveryReport.model_fields if name not in taken}
    return DeliveryReport(
        id=row.pk,
        address=row.address if reveal else mask(row.channel, row.address),
        account=account.name if account else None,
        provider=account.provider if account else None,
        attempts=row.attempt,
        **plain,
    )


def as_csv(tenant_id: UUID, wanted: DeliveryFilter, *, reveal: bool = False) -> Iterator[bytes]:
    """The file in pieces, newest first: a page of rows at a time, and no transaction open between two."""
    yield lines([list(DeliveryReport.model_fields)])
    last: UUID | None = None
    while rows := _page(tenant_id, wanted, last, reveal):
        yield lines(list(row.model_dump(mode="json").values()) for row in rows)
        last = rows[-1].id


def _page(tenant_id: UUID, wanted: DeliveryFilter, last: UUID | None, reveal: bool) -> list[DeliveryReport]:
    with tenant_scope(tenant_id):
        rows = wanted.of(tenant_id).order_by("-pk")
        rows = rows if last is None else rows.filter(pk__lt=last)
        return shown(list(rows[:PAGE]), reveal=reveal)


By = Literal["channel", "provider", "template", "version", "hour"]


class StatsFilter(Period):
    """A day unless told otherwise, and at most `LONGEST`."""

    by: By = "channel"

    @model_validator(mode="after")
    def _is_bounded(self) -> StatsFilter:
        since, until = self.period(dt.datetime.now(dt.UTC))
        if not dt.timedelta() < until - since <= LONGEST:
            raise ValueError(f"from must be before to, by at most {LONGEST.days} days")
        return self

    def period(self, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        until = self.until or now
        return self.since or until - dt.timedelta(days=1), until


class Row(BaseModel):
    """`key` is null where there is none: never given to an account, no template. `counts` is by status."""

    key: str | None
    total: int
    counts: dict[str, int]


class Stats(BaseModel):
    since: dt.datetime = Field(serialization_alias="from")
    until: dt.datetime = Field(serialization_alias="to")
    by: By
    results: list[Row]


_VERSION = """LEFT JOIN templates_app_templateversion v ON v.id = d.template_version_id
              LEFT JOIN templates_app_template t ON t.id = v.template_id"""
_KEYS: dict[str, tuple[str, str]] = {
    "channel": ("d.channel", ""),
    "provider": ("a.provider", "LEFT JOIN delivery_provideraccount a ON a.id = d.account_id"),
    "template": ("t.code", _VERSION),
    "version": ("t.code || ' v' || v.number", _VERSION),
    "hour": ("""to_char(d.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')""", ""),
}


def stats(tenant_id: UUID, wanted: StatsFilter, *, now: dt.datetime) -> Stats:
    """How many deliveries of a period have which status: one walk along the tenant's range of ids."""
    since, until = wanted.period(now)
    key, join = _KEYS[wanted.by]
    statement = f"""
        SELECT {key}, d.status, count(*) FROM delivery_delivery d {join}
         WHERE d.tenant_id = %s AND d.id >= %s AND d.id < %s
         GROUP BY 1, 2 ORDER BY 1, 2
    """
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(statement, [tenant_id, first_id_at(since), first_id_at(until)])
        return Stats(since=since, until=until, by=wanted.by, results=list(_rows(cursor.fetchall())))


def _rows(found: Iterable[tuple[str | None, str, int]]) -> Iterator[Row]:
    by_key: dict[str | None, dict[str, int]] = {}
    for key, status, count in found:
        by_key.setdefault(key, {})[status] = count
    for key, counts in by_key.items():
        yield Row(key=key, total=sum(counts.values()), counts=counts)
