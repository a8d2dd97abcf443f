from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from tenants.admin.base import ModelForm, OperatorAdmin, display
from tenants.models import Tenant


class TenantForm(ModelForm[Tenant]):
    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in available_timezones():
            raise ValidationError("This is not an IANA time zone such as Europe/Berlin.")
        return name

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if len(country) != 2 or not country.isalpha():
            raise ValidationError("This is not an ISO 3166 code of two letters, such as DE.")
        return country

    def clean_default_channels(self) -> list[Any]:
        channels = self.cleaned_data["default_channels"]
        if not isinstance(channels, list) or not all(_is_route(entry) for entry in channels):
            raise ValidationError('This is not a list of channels such as ["in_app", ["sms", "email"]].')
        return channels

    def clean_alert_recipients(self) -> list[Any]:
        ids = self.cleaned_data["alert_recipients"] or []
        if not isinstance(ids, list) or not all(isinstance(id, str) and id for id in ids):
            raise ValidationError('This is not a list of recipients\' ids such as ["ops-1"].')
        return ids


def _is_route(entry: object) -> bool:
    """A channel, or a failover chain of them. Which channels there are is for the apps above to say."""
    chain = entry if isinstance(entry, list) else [entry]
    return bool(chain) and all(isinstance(channel, str) and channel for channel in chain)


@admin.register(Tenant)
class TenantAdmin(OperatorAdmin[Tenant]):
    """A tenant is switched off, never deleted: its rows in the big tables would be left behind."""

    form = TenantForm
    list_display = ("name", "slug", "active", "locale", "timezone", "country", "created_at")
    list_filter = ("is_active",)
    search_fields = ("slug", "name")
    readonly_fields = ("id", "created_at")
    fieldsets = (
        (None, {"fields": (("name", "slug"), "is_active")}),
        ("Where a recipient says nothing", {"fields": (("locale", "timezone", "country"),)}),
        ("Where a request says nothing", {"fields": ("default_channels",)}),
        ("Who is told when something is wrong", {"fields": ("alert_recipients",)}),
        ("Record", {"fields": (("id", "created_at"),)}),
    )

    @display(description="Active", boolean=True)
    def active(self, tenant: Tenant) -> bool:
        return tenant.is_active

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """Services, operators and seeds name a tenant by its slug: it does not change."""
        return (*self.readonly_fields, "slug") if obj else tuple(self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False
