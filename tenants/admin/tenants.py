from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from tenants import reply_words
from tenants.admin.base import ModelForm, OperatorAdmin, display
from tenants.admin.caps import BlockedChannelsField, CapsField, HolidaysField
from tenants.channels import complaints, fallback_complaints, order_complaints
from tenants.models import Tenant


class TenantForm(ModelForm[Tenant]):
    frequency = CapsField(
        label="Frequency caps",
        help_text="The most that a recipient gets of everything. 0 is never. Windows slide: five a day is "
        "five in any 24 hours.",
    )
    blocked_channels = BlockedChannelsField(
        label="Blocked channels",
        help_text="With a reason nothing is sent by the channel, except what is critical.",
    )
    holidays = HolidaysField(
        label="Holidays",
        help_text="For the categories that skip them. One a line: a date, 2027-03-26, or a day of each year, "
        "12-25. They are days by the recipient's clocks.",
    )

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
                    "frequency",
                    "frequency_then",
                    ("frequency_lets_urgent_pass", "frequency_lets_critical_pass"),
                )
            },
        ),
        (
            "When people want quiet",
            {
                "fields": (
                    ("quiet_lets_urgent_pass", "quiet_lets_critical_pass"),
                    ("quiet_holds_in_app", "quiet_digest"),
                    "release_spread",
                )
            },
        ),
        ("Sending calendar", {"fields": ("holidays",)}),
        ("Blocks", {"fields": ("blocked_channels",)}),
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
