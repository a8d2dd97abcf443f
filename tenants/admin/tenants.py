from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from tenants import frequency, reply_words
from tenants.admin.base import ModelForm, OperatorAdmin, display
from tenants.channels import complaints, fallback_complaints, order_complaints
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

    def clean_default_channels(self) -> Any:
        channels = self.cleaned_data["default_channels"] or []
        return sound(channels, complaints(channels), CHANNELS_EXAMPLE)

    def clean_fallback(self) -> Any:
        fallback = self.cleaned_data["fallback"] or {}
        return sound(fallback, fallback_complaints(fallback), '{"sms": ["sms", "email"]}')

    def clean_account_order(self) -> Any:
        order = self.cleaned_data["account_order"] or {}
        return sound(order, order_complaints(order), '{"sms": ["main", "backup"]}')

    def clean_reply_words(self) -> Any:
        words = self.cleaned_data["reply_words"] or {}
        return sound(words, reply_words.complaints(words), '{"stop": {"fi": ["lopeta"]}}')

    def clean_frequency(self) -> Any:
        caps = self.cleaned_data["frequency"] or {}
        return sound(caps, frequency.complaints(caps), frequency.EXAMPLE)

    def clean_alert_recipients(self) -> list[Any]:
        ids = self.cleaned_data["alert_recipients"] or []
        if not isinstance(ids, list) or not all(isinstance(id, str) and id for id in ids):
            raise ValidationError('This is not a list of recipients\' ids such as ["ops-1"].')
        return ids


CHANNELS_EXAMPLE = (
    'a list of channels such as ["in_app", ["sms", "email"], {"chain": ["push", "sms"], "within": 600}]'
)


def sound(value: Any, complaints: list[str], example: str) -> Any:
    """The value, or each complaint and what it should have looked like."""
    if complaints:
        raise ValidationError([*complaints, f"It should look like {example}."])
    return value


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
        ("Where a request says nothing", {"fields": ("default_channels", "fallback")}),
        ("Which accounts are used first", {"fields": ("account_order",)}),
        (
            "How much a recipient gets",
            {
                "fields": (
                    ("frequency", "frequency_then"),
                    ("frequency_lets_urgent_pass", "frequency_lets_critical_pass"),
                )
            },
        ),
        ("Text messages", {"fields": (("sms_max_segments", "sms_transliterate"), "reply_words")}),
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
