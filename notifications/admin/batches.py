from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from notifications.models import Batch
from notifications.reading import batch
from tenants.admin.base import STATUS_TONES, display
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import HistoryAdmin

_TONES = {"pending": "info", "processing": "info", "completed": "success", "failed": "danger"}


@admin.register(Batch)
class BatchAdmin(HistoryAdmin[Batch]):
    """The state is read off the batch's notifications, so it is on its own page and not in the list."""

    list_display = ("id", "tenant", "total_expected", "canceled", "created")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, ("created_at", CreatedFilter))
    search_help_text = "ID"
    fields = ()
    change_form_template = "notifications/admin/batch.html"

    @display(description="Canceled", boolean=True)
    def canceled(self, row: Batch) -> bool:
        return row.canceled_at is not None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        return super().get_queryset(request).defer("token_hash")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        shown = {} if row is None else _shown(row)
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})


def _shown(row: Batch) -> dict[str, Any]:
    state = batch(row)
    total = max(state["total_accepted"], 1)
    bars = [
        {
            "status": status,
            "count": count,
            "percent": 100 * count / total,
            "tone": STATUS_TONES.get(status, ""),
        }
        for status, count in sorted(state["counts"].items(), key=lambda item: -item[1])
    ]
    return {"row": row, "state": state, "bars": bars, "tone": _TONES.get(state["status"], "")}
