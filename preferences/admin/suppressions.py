from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import localtime
from unfold.widgets import UnfoldAdminTextInputWidget

from preferences import suppressions
from preferences.addresses import spelled
from preferences.admin.fields import channel_field
from preferences.admin.suppression_pages import SuppressionPages
from preferences.models import ADDRESS_LENGTH, Suppression
from preferences.suppressions import Entry
from tenants.admin.base import ModelForm, code, display
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import NewestFirstAdmin


class SuppressionForm(ModelForm[Suppression]):
    """The address goes in and never out: the row keeps its hash, and a mask."""

    channel = channel_field()
    address = forms.CharField(max_length=ADDRESS_LENGTH, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        tenant, channel, address = (cleaned.get(name) for name in ("tenant", "channel", "address"))
        if tenant and channel and address:
            try:
                cleaned["address"] = spelled(channel, address, tenant.country)
            except ValueError as error:
                self.add_error("address", str(error))
                return cleaned
            if suppressions.among(tenant.pk, [(channel, cleaned["address"])]):
                self.add_error("address", "This address is suppressed already.")
        return cleaned


@admin.register(Suppression)
class SuppressionAdmin(SuppressionPages, NewestFirstAdmin[Suppression]):
    """Added and lifted (deleted), never edited."""

    form = SuppressionForm
    list_display = ("shown", "channel", "reason_label", "source", "said", "tenant", "created")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, "reason", "source", ("created_at", CreatedFilter))
    search_help_text = "An address, whole"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("shown", "source", "reference", "since", "created_at", "hashed")

    def get_fieldsets(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("tenant", ("channel", "address"), "reason")}),)
        return (
            (None, {"fields": ("tenant", ("channel", "shown"), "reason")}),
            ("How it came", {"fields": (("source", "reference"), ("since", "created_at"))}),
            ("What is kept of the address", {"fields": ("hashed",)}),
        )

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        return False

    @display(description="Address")
    def shown(self, suppression: Suppression) -> str:
        return suppression.mask or "erased"

    @display(description="Since")
    def said(self, suppression: Suppression) -> str:
        return localtime(suppression.since).strftime("%Y-%m-%d")

    @display(description="Hash")
    def hashed(self, suppression: Suppression) -> str:
        return code(f"{suppression.key_id}:{suppression.address_hash}")

    @display(
        description="Reason",
        label={"hard bounce": "danger", "complaint": "danger", "unsubscribed": "warning"},
    )
    def reason_label(self, suppression: Suppression) -> str:
        return suppression.get_reason_display()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        return {"reason": Suppression.Reason.MANUAL, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        by = request.user.get_username()
        entry = Entry(obj.channel, form.cleaned_data["address"], obj.reason, reference=by)
        kept = suppressions.row(obj.tenant_id, entry._replace(source=Suppression.Source.OPERATOR))
        kept.pk = obj.pk
        suppressions.store([kept])

    def exact_search(self, queryset: QuerySet[Suppression], term: str) -> QuerySet[Suppression]:
        return queryset.filter(suppressions.spelled_as(term))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            function, name = actions["delete_selected"][:2]
            actions["delete_selected"] = (function, name, "Lift selected suppressions")
        return actions
