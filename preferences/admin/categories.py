from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from preferences.models import Category
from tenants.admin.base import OperatorAdmin, display
from tenants.admin.filters import TENANT_FILTER


@admin.register(Category)
class CategoryAdmin(OperatorAdmin[Category]):
    list_display = ("name", "code", "tenant", "critical", "unknown_policy")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, "is_critical")
    search_fields = ("code", "name")
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "code"))}),
        ("Policy", {"fields": ("is_critical", "unknown_policy")}),
    )

    @display(description="Critical", boolean=True, ordering="is_critical")
    def critical(self, category: Category) -> bool:
        return category.is_critical

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Requests and preferences name a category by its code: it does not change."""
        return ("tenant", "code") if obj else ()
