from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from preferences.addresses import DeviceFields, RecipientFields
from preferences.admin.fields import channel_field, normalized_phone, validated
from preferences.directory import FIELDS
from preferences.models import Category, Device, Preference, Recipient
from tenants.admin.base import InlineFormSet, ModelForm, TabularInline
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import NewestFirstAdmin

_EVERYTHING = ("", "everything")


class RecipientForm(ModelForm[Recipient]):
    email = forms.CharField(required=False, max_length=320, widget=UnfoldAdminTextInputWidget)
    phone = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept in E.164, e.g. +15005550006. Without + it is read as in the tenant's country.",
    )
    webhook = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        given = {field: cleaned.get(field, "") for field in FIELDS}
        identity = {"id": cleaned.get("external_id"), "type": cleaned.get("type")}
        checked = validated(self, RecipientFields, given | identity, id="external_id")
        cleaned |= {field: value or "" for field, value in checked.items() if field in FIELDS}
        tenant = cleaned.get("tenant") if "tenant" in self.fields else self.instance.tenant
        if cleaned.get("phone") and tenant and not self.has_error("phone"):
            cleaned["phone"] = normalized_phone(self, "phone", cleaned["phone"], tenant.country)
        return cleaned


class DeviceForm(ModelForm[Device]):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned |= validated(self, DeviceFields, {name: cleaned.get(name) for name in ("token", "platform")})
        self.instance.tenant_id = self.instance.recipient.tenant_id
        others = Device.objects.filter(tenant_id=self.instance.tenant_id, token=cleaned.get("token", ""))
        if others.exclude(pk=self.instance.pk).exists():
            self.add_error("token", "This device is registered already.")
        return cleaned


class DeviceInline(TabularInline[Device, Recipient]):
    model = Device
    form = DeviceForm
    fields = ("token", "platform", "created_at")
    readonly_fields = ("created_at",)
    extra = 0
    tab = True


class PreferenceForm(ModelForm[Preference]):
    channel = channel_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        level = Preference.Level.CATEGORY if cleaned.get("key") else Preference.Level.CHANNEL
        self.instance.level = level
        self.instance.tenant_id = self.instance.recipient.tenant_id
        return cleaned


class PreferenceFormSet(InlineFormSet[Preference, Recipient, PreferenceForm]):
    def clean(self) -> None:
        super().clean()
        seen: set[tuple[str, str]] = set()
        for form in self._kept():
            switch = (form.cleaned_data.get("key", ""), form.cleaned_data.get("channel", ""))
            if switch in seen:
                form.add_error("channel", "There is a switch for this already.")
            seen.add(switch)

    def _kept(self) -> Iterable[PreferenceForm]:
        return (form for form in self.forms if form.cleaned_data and form not in self.deleted_forms)


class PreferenceInline(TabularInline[Preference, Recipient]):
    """What the recipient wants: a channel within a category, which weighs more, or altogether."""

    model = Preference
    form = PreferenceForm
    formset = PreferenceFormSet  # type: ignore[assignment]  # of its own form
    fields = ("key", "channel", "enabled", "updated_at")
    readonly_fields = ("updated_at",)
    extra = 0
    tab = True

    def get_formset(self, request: HttpRequest, obj: Recipient | None = None, **kwargs: Any) -> Any:
        """With the tenant's categories to choose from: one query for all rows."""
        of_tenant = Category.objects.filter(tenant=obj.tenant_id) if obj else Category.objects.none()
        known = of_tenant.order_by("code").values_list("code", "name")
        choices = [_EVERYTHING, *known]
        widget = UnfoldAdminSelectWidget(choices=choices)
        key = forms.ChoiceField(choices=choices, required=False, widget=widget, label="Category")
        kwargs["form"] = type("PreferenceForm", (self.form,), {"key": key})
        return super().get_formset(request, obj, **kwargs)


@admin.register(Recipient)
class RecipientAdmin(NewestFirstAdmin[Recipient]):
    form = RecipientForm
    list_display = ("external_id", "type", "tenant", "email", "phone", "locale", "timezone", "created")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, ("created_at", CreatedFilter))
    search_help_text = "ID, or how an email address or a phone number begins"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("id", "created_at", "updated_at")
    inlines = (DeviceInline, PreferenceInline)
    fieldsets = (
        (None, {"fields": ("tenant", ("external_id", "type"))}),
        ("Addresses", {"fields": (("email", "phone"), ("slack", "discord"), "webhook")}),
        ("Words and hours", {"fields": (("locale", "timezone"),)}),
        ("Record", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    def exact_search(self, queryset: QuerySet[Recipient], term: str) -> QuerySet[Recipient]:
        """The partial indexes leave out those that are empty, so the question has to say so too."""
        if term.startswith("+"):
            return queryset.filter(~Q(phone=""), phone__startswith=term)
        return queryset.filter(Q(external_id=term) | Q(~Q(email=""), email__startswith=term))

    def get_readonly_fields(self, request: HttpRequest, obj: Recipient | None = None) -> tuple[str, ...]:
        """The tenant's services know a recipient by type and id: they do not change."""
        identity = ("tenant", "external_id", "type") if obj else ()
        return (*identity, *self.readonly_fields)
