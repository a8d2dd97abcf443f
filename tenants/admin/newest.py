"""Lists of the big tables: newest first by primary key, a page at a time, never a COUNT and never an OFFSET.

UUIDv7 keys grow with time, so the page after this one begins below its last key, and a range of time is a
range of keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.timezone import localtime

from tenants.admin.base import AnyModel, OperatorAdmin, RecordAdmin, display
from tenants.admin.filters import parse_key

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.views import ChangeList


class KeyPaginator(Paginator):  # type: ignore[type-arg]
    """Draws 'Newest' and 'Older'; `NewestList` has cut the page already."""

    template_name = "tenants/admin/older.html"


class NewestList(ChangeList):
    """`?p=<key>` shows what is older than that key."""

    older_url: str | None
    newest_url: str | None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        before = parse_key(request.GET.get("p", ""))
        rows = self.queryset if before is None else self.queryset.filter(pk__lt=before)
        found = list(rows[: self.list_per_page + 1])
        page = found[: self.list_per_page]
        has_older = len(found) > len(page)
        self.older_url = self.get_query_string({"p": str(page[-1].pk)}) if has_older else None
        self.newest_url = self.get_query_string() if before else None
        self._show(page)

    def _show(self, page: list[Model]) -> None:
        self.result_list = page
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = KeyPaginator(page, self.list_per_page)


class NewestFirstAdmin(OperatorAdmin[AnyModel]):
    """A list of a big table. `exact_search` says which rows a term means, by indexed columns only."""

    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    list_disable_select_all = True
    show_full_result_count = False
    search_fields = ("pk",)

    @display(description="Created")
    def created(self, row: AnyModel) -> str:
        return localtime(row.created_at).strftime("%Y-%m-%d %H:%M:%S")  # type: ignore[attr-defined]  # all have it

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AnyModel], search_term: str
    ) -> tuple[QuerySet[AnyModel], bool]:
        term = search_term.strip()
        return (self.exact_search(queryset, term) if term else queryset), False

    def exact_search(self, queryset: QuerySet[AnyModel], term: str) -> QuerySet[AnyModel]:
        key = parse_key(term)
        return queryset.none() if key is None else queryset.filter(pk=key)


class HistoryAdmin(NewestFirstAdmin[AnyModel], RecordAdmin[AnyModel]):
    """A big table of what happened."""
