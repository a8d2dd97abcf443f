"""What the endpoints about releases take and give."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from templates_app.diffing import Change, Op, PartDiff
from templates_app.history import TemplateRelease
from tenants.parsing import RequestModel


class CanaryBody(RequestModel):
    """Which version is tried, and on how many of the recipients, in percent with two decimals."""

    version: int = Field(gt=0, lt=2**31)
    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)]


class ReleaseView(BaseModel):
    """Who did what, and when. `percent` is a canary's share; `by` is empty where nobody was logged in."""

    id: UUID
    act: str
    version: int | None
    percent: float | None
    by: str
    at: dt.datetime

    @classmethod
    def of(cls, row: TemplateRelease) -> Self:
        return cls(
            id=row.pk,
            act=row.act,
            version=row.version.number if row.version else None,
            percent=None if row.percent is None else float(row.percent),
            by=row.by,
            at=row.at,
        )


class SchemaAnswer(BaseModel):
    """The version's own schema, and the one that its words and sample data suggest."""

    data_schema: dict[str, Any] | None = Field(serialization_alias="schema")
    inferred: dict[str, Any]


class LineView(BaseModel):
    """`before` and `after` are line numbers, from 1. Of a gap, `text` says how many lines are left out."""

    op: Op
    before: int | None
    after: int | None
    text: str


class PartDiffView(BaseModel):
    """`channel` and `locale` are null for the schema and the sample data, which are the version's."""

    channel: str | None
    locale: str | None
    part: str
    change: Change
    added: int
    removed: int
    lines: list[LineView]

    @classmethod
    def of(cls, part: PartDiff) -> Self:
        return cls(
            channel=part.channel or None,
            locale=part.locale or None,
            part=part.part,
            change=part.change,
            added=part.added,
            removed=part.removed,
            lines=[LineView(op=n.op, before=n.before, after=n.after, text=n.text) for n in part.lines],
        )


class DiffAnswer(BaseModel):
    """What one has to do to `before` to have `after`. No parts: they say the same."""

    before: int
    after: int
    parts: list[PartDiffView]
