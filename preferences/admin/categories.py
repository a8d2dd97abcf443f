from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from preferences import changes
from preferences.admin.hours import HoursField, ReachField
from preferences.categories import ESSENTIAL
from preferences.models import Category
from tenants.admin.base import ModelForm, OperatorAdmin, display
from tenants.admin.caps import CapsField
from tenants.admin.filters import TENANT_FILTER
from tenants.context import tenant_scope

_LABELS = {"unknown_policy": "When it is not known whether a provider took it", "block": "Why it is blocked"}
_HELP = {
    "is_critical": "Goes out whatever the recipient prefers: only a suppressed address is spared.",
    "unknown_policy": "A connection that broke in the middle: the message may have been sent, or not.",
    "block": "Nothing of it is sent as long as a reason stands here.",
}


class CategoryForm(ModelForm[Category]):
    reach = ReachField(
        label="By which channels",
        help_text="What is off by default reaches those who switch it on themselves: for the category, or "
        "for the channel altogether.",
    )
    frequency = CapsField(
        label="Frequency caps",
        help_text="The most of this category that a recipient gets. Caps of the tenant and of the recipient "
        "hold as well: the smallest wins. 0 is never.",
    )
    sending_hours = HoursField(
        label="Sent only between",
        help_text="By the recipient's clocks, 24 hours. What comes outside waits, except what is urgent. "
        "No hours: always. An end before the start is on the day after.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial["reach"] = (self.instance.channels, self.instance.defaults)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "reach" in cleaned:
            self.instance.channels, self.instance.defaults = cleaned["reach"]
        return cleaned


@admin.register(Category)
class CategoryAdmin(OperatorAdmin[Category]):
    form = CategoryForm
    list_display = ("name", "code", "tenant", "critical", "transactional", "blocked", "unknown_policy")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, "is_critical")
    search_fields = ("code", "name")
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "code"))}),
        ("What it is", {"fields": (("is_critical", "is_transactional"), "unknown_policy")}),
        ("Where", {"fields": ("reach",)}),
        ("When", {"fields": ("sending_hours", "skips_holidays")}),
        ("How much", {"fields": ("frequency",)}),
        ("Block", {"fields": ("block",)}),
    )

    @display(description="Critical", boolean=True, ordering="is_critical")
    def critical(self, category: Category) -> bool:
        return category.is_critical

    @display(description="Transactional", boolean=True, ordering="is_transactional")
    def transactional(self, category: Category) -> bool:
        return category.is_transactional

    @display(description="Blocked", label={"blocked": "danger"})
    def blocked(self, category: Category) -> str | None:
        return "blocked" if category.block else None

    @display(description="By which channels")
    def reach(self, category: Category) -> str:
        """For those who may look and not change."""
        used = ", ".join(category.channels) or "all"
        off = ", ".join(name for name, on in category.defaults.items() if not on)
        return f"{used}; off until asked for: {off}" if off else used

    def get_form(
        self, request: HttpRequest, obj: Category | None = None, change: bool = False, **options: Any
    ) -> Any:
        return super().get_form(request, obj, change, **options, help_texts=_HELP, labels=_LABELS)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Requests and preferences name a category by its code: it does not change."""
        return ("tenant", "code") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Category | None = None) -> bool:
        """What a notification belongs to that names no category stays."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.code != ESSENTIAL)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _decide_again(obj)

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        super().delete_model(request, obj)
        _decide_again(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        gone = list(queryset)
        super().delete_queryset(request, queryset)
        for category in gone:
            _decide_again(category)


def _decide_again(category: Category) -> None:
    """What is planned and has not left."""
    with tenant_scope(category.tenant_id):
        changes.of_tenant(category.tenant_id)
