from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from preferences.addresses import comparable
from preferences.admin.fields import channel_field, normalized_address
from preferences.channels import CHANNELS
from preferences.models import Suppression
from tenants.admin.base import ModelForm, display
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import NewestFirstAdmin


class SuppressionForm(ModelForm[Suppression]):
    channel = channel_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        tenant, channel, address = (cleaned.get(name) for name in ("tenant", "channel", "address"))
        if tenant and channel and address:
            cleaned["address"] = normalized_address(self, "address", channel, address, tenant.country)
        return cleaned


@admin.register(Suppression)
class SuppressionAdmin(NewestFirstAdmin[Suppression]):
    """Added and lifted (deleted), never edited."""

    form = SuppressionForm
    list_display = ("address", "channel", "reason_label", "tenant", "created")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, "reason", ("created_at", CreatedFilter))
    search_help_text = "An address, whole"
    autocomplete_fields = ("tenant",)
    fields = ("tenant", ("channel", "address"), "reason")

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        return False

    @display(
        description="Reason",
        label={"hard bounce": "danger", "complaint": "danger", "unsubscribed": "warning"},
    )
    def reason_label(self, suppression: Suppression) -> str:
        return suppression.get_reason_display()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        return {"reason": Suppression.Reason.MANUAL, **super().get_changeform_initial_data(request)}

    def exact_search(self, queryset: QuerySet[Suppression], term: str) -> QuerySet[Suppression]:
        """Spelled as each channel would have it, so that the unique index answers."""
        spelled = (Q(channel=channel, address=comparable(channel, term)) for channel in CHANNELS)
        anywhere = Q()
        for address in spelled:
            anywhere |= address
        return queryset.filter(anywhere)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            function, name = actions["delete_selected"][:2]
            actions["delete_selected"] = (function, name, "Lift selected suppressions")
        return actions
