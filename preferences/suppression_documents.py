"""Suppressions as operators describe them, and as they see them. An address comes in and does not go out."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self
from uuid import UUID

from django.db.models import QuerySet
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from preferences import suppressions
from preferences.channels import CHANNELS
from preferences.models import ADDRESS_LENGTH, Suppression
from tenants.ids import first_id_at
from tenants.parsing import RequestModel

Channel = Literal[CHANNELS]  # type: ignore[valid-type]
Reason = Literal["bounced", "complained", "unsubscribed", "invalid", "manual"]
Source = Literal["receipt", "attempt", "reply", "unsubscribe", "operator", "import"]
Address = Annotated[str, StringConstraints(min_length=1, max_length=ADDRESS_LENGTH)]


class NewSuppression(RequestModel):
    """`reference` is for whoever asks later: a ticket, a case."""

    channel: Channel
    address: Address
    reason: Reason = "manual"
    reference: Annotated[str, StringConstraints(max_length=255)] = ""


class SuppressionDocument(BaseModel):
    """`mask` is null once the person was erased. It was said at `since`, and came here at `created_at`."""

    id: UUID
    channel: str
    mask: str | None
    reason: str
    source: str
    reference: str
    since: dt.datetime
    created_at: dt.datetime

    @classmethod
    def of(cls, row: Suppression) -> Self:
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "mask"}
        return cls(mask=row.mask or None, **plain)


class SuppressionFilter(RequestModel):
    """All that is given must hold. `address`, whole, is looked for on every channel unless one is named."""

    channel: Channel | None = None
    reason: Reason | None = None
    source: Source | None = None
    address: Address | None = None
    begin: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")

    def of(self, tenant_id: UUID) -> QuerySet[Suppression]:
        """The tenant's suppressions that it lets through."""
        equal = {"channel": self.channel, "reason": self.reason, "source": self.source}
        conditions = {field: value for field, value in equal.items() if value is not None}
        bounds = {"pk__gte": self.begin, "pk__lt": self.end}
        conditions |= {lookup: first_id_at(at) for lookup, at in bounds.items() if at is not None}
        rows = Suppression.objects.filter(tenant_id=tenant_id, **conditions)
        return rows if self.address is None else rows.filter(suppressions.spelled_as(self.address))


class Line(RequestModel):
    """A row of a file: an address, or the hash that another installation with the same key has of it."""

    channel: Channel
    address: Address | None = None
    key: str | None = None
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    mask: Annotated[str, StringConstraints(max_length=suppressions.MASK_LENGTH)] = ""
    reason: Reason = "manual"
    source: Annotated[str, StringConstraints(max_length=32)] = ""
    since: AwareDatetime | dt.date | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Line:
        if (self.address is None) == (self.hash is None) or (self.hash is None) != (self.key is None):
            raise ValueError("give an address, or hash and key")
        return self

    def moment(self) -> dt.datetime | None:
        """A day begins at midnight UTC."""
        if self.since is None or isinstance(self.since, dt.datetime):
            return self.since
        return dt.datetime.combine(self.since, dt.time(), dt.UTC)


class Rejected(BaseModel):
    """`row` is the line of the file, from 1. `pointer` is the field."""

    row: int
    pointer: str
    code: str
    detail: str


class ImportReport(BaseModel):
    """`accepted` are new, `known` were suppressed already. Of the rejected the first thousand are told."""

    accepted: int = 0
    known: int = 0
    rejected_total: int = 0
    rejected: list[Rejected] = []
