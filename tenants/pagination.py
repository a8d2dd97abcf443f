"""Lists by cursor: pages of rows with a growing key, newest first, without COUNT and without OFFSET.

A page costs one index range of `limit + 1` rows however deep it lies, and rows that arrive while somebody
leafs through neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter
from pydantic import BaseModel, create_model
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from tenants.problems import FieldError, invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

PAGE_PARAMETERS = [
    OpenApiParameter("limit", int, description=f"Rows a page: 1 to {MAX_LIMIT}, default {DEFAULT_LIMIT}."),
    OpenApiParameter("cursor", str, description="Opaque; taken from `next` or `previous`."),
]

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    next: str | None
    previous: str | None

    def body(self, show: Callable[[Row], Any]) -> dict[str, Any]:
        return {"next": self.next, "previous": self.previous, "results": [show(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The rows on one side of a key: the older ones, or on the way back the newer ones."""

    key: int
    back: bool = False

    def __str__(self) -> str:
        raw = bytes([self.back]) + self.key.to_bytes(16)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises ValueError."""
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != 17 or raw[0] > 1:
            raise ValueError("not a cursor")
        return cls(int.from_bytes(raw[1:]), bool(raw[0]))


def paginate(request: Request, queryset: QuerySet[Row], key: str = "pk") -> Page[Row]:
    """The page that `?limit=` and `?cursor=` of the request ask for; a 400 problem when they make no sense.

    `queryset` is filtered to what the caller may see. `key` is a column that is unique in it and grows, an
    integer or a UUIDv7; the rows are ordered by it.
    """
    limit, cursor = _limit(request), _cursor(request)
    back = cursor is not None and cursor.back
    if cursor is not None:
        queryset = queryset.filter(**{f"{key}__gt" if back else f"{key}__lt": cursor.key})
    rows = list(queryset.order_by(key if back else f"-{key}")[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if back:
        rows.reverse()
    older, newer = (True, more) if back else (more, cursor is not None)
    return Page(
        rows,
        next=_link(request, Cursor(int(getattr(rows[-1], key)))) if rows and older else None,
        previous=_link(request, Cursor(int(getattr(rows[0], key)), back=True)) if rows and newer else None,
    )


def page_schema(item: type[BaseModel]) -> type[BaseModel]:
    """The shape of a page of `item`, for the OpenAPI document."""
    results: Any = list[item]  # type: ignore[valid-type]
    link: Any = str | None
    return create_model(
        f"{item.__name__}Page", next=(link, ...), previous=(link, ...), results=(results, ...)
    )


def _limit(request: Request) -> int:
    given = request.query_params.get("limit")
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) < 4 and 1 <= int(given) <= MAX_LIMIT):
        raise invalid([FieldError("", "invalid_limit", f"?limit= must be a number from 1 to {MAX_LIMIT}.")])
    return int(given)


def _cursor(request: Request) -> Cursor | None:
    given = request.query_params.get("cursor")
    try:
        return None if given is None else Cursor.parse(given)
    except (ValueError, binascii.Error):
        raise invalid(
            [FieldError("", "invalid_cursor", "?cursor= is not one that this API gave out.")]
        ) from None


def _link(request: Request, cursor: Cursor) -> str:
    return str(replace_query_param(request.build_absolute_uri(), "cursor", str(cursor)))
