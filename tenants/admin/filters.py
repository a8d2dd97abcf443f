"""Filters of the lists. Each is answered by an index or by the primary key, which grows with time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from tenants.ids import first_id_at

if TYPE_CHECKING:
    from django.contrib.admin import FieldListFilter, SimpleListFilter

    class DropdownFilter(SimpleListFilter):
        all_option: list[str] | None

    class TextFilter(SimpleListFilter):
        pass
else:
    from unfold.contrib.filters.admin import DropdownFilter, TextFilter

    FieldListFilter = RangeDateTimeFilter

__all__ = ["TENANT_FILTER", "CreatedFilter", "DropdownFilter", "TextFilter", "parse_key"]

TENANT_FILTER = ("tenant", AutocompleteSelectFilter)


class CreatedFilter(FieldListFilter):
    """From and to, each a date with or without a time, answered by the primary key."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        begins, ends = self._moment("from", dt.time.min), self._moment("to", dt.time.max)
        if begins is not None:
            queryset = queryset.filter(pk__gte=first_id_at(begins))
        return queryset if ends is None else queryset.filter(pk__lt=first_id_at(ends))

    def _moment(self, side: str, default: dt.time) -> dt.datetime | None:
        given = [str(self.used_parameters.get(f"{self.field_path}_{side}_{part}") or "") for part in (0, 1)]
        try:
            time = dt.time.fromisoformat(given[1]) if given[1] else default
            return dt.datetime.combine(dt.date.fromisoformat(given[0]), time, timezone.get_current_timezone())
        except ValueError:
            return None


def parse_key(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
