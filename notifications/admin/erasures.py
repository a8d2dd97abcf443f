from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from notifications.models import Erasure
from tenants.admin.base import code, display
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import HistoryAdmin


@admin.register(Erasure)
class ErasureAdmin(HistoryAdmin[Erasure]):
    """Who asked for it, when, and how many rows it was. Whose they were is not kept."""

    list_display = ("id", "tenant", "state", "asked_by", "total", "created", "finished")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, "status", ("created_at", CreatedFilter))
    search_help_text = "ID"
    fields = (("tenant", "state"), ("asked_by", "created_at", "finished_at"), "rows", "known_by")
    readonly_fields = ("state", "rows", "known_by")

    @display(description="Status", label={"running": "info", "done": "success"})
    def state(self, row: Erasure) -> str:
        return row.status

    @display(description="Rows")
    def total(self, row: Erasure) -> int:
        return sum(row.counts.values())

    @display(description="Finished")
    def finished(self, row: Erasure) -> str:
        return localtime(row.finished_at).strftime("%Y-%m-%d %H:%M:%S") if row.finished_at else "—"

    @display(description="Rows")
    def rows(self, row: Erasure) -> SafeString | str:
        listed = ((name.replace("_", " "), number) for name, number in sorted(row.counts.items()))
        return format_html_join("", "<div>{}: {}</div>", listed) or "none yet"

    @display(description="Known by the hash")
    def known_by(self, row: Erasure) -> str:
        return code(f"{row.key_id}:{row.subject_hash}")
