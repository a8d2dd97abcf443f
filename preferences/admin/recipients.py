from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from preferences import changes
from preferences.addresses import DeviceFields, RecipientFields
from preferences.admin.fields import channel_field, normalized_phone, validated
from preferences.admin.hours import QuietHoursField
from preferences.directory import FIELDS
from preferences.models import Category, Device, Preference, Recipient
from tenants.admin.base import InlineFormSet, ModelForm, TabularInline, display
from tenants.admin.caps import OwnCapsField
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import NewestFirstAdmin
from tenants.context import tenant_scope

_EVERYTHING = ("", "everything")
_LEVELS = Preference.Level


_LABELS = {"do_not_disturb_until": "Do not disturb until", "block": "Why they are blocked"}
_HELP = {
    "do_not_disturb_until": "UTC. Until then nothing rings; what comes meanwhile waits.",
    "block": "As long as a reason stands here the tenant sends them nothing but what is critical.",
}


class RecipientForm(ModelForm[Recipient]):
    email = forms.CharField(required=False, max_length=320, widget=UnfoldAdminTextInputWidget)
    phone = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept in E.164, e.g. +15005550006. Without + it is read as in the tenant's country.",
    )
    webhook = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    quiet_hours = QuietHoursField(
        label="Quiet hours",
        help_text="What would ring waits until they are over. 24 hours; an end before the start is on the "
        "day after. Urgent messages and critical categories pass, unless the tenant says otherwise.",
    )
    frequency = OwnCapsField(
        label="Frequency caps",
        help_text="The most that they want to get of everything. 0 is never.",
    )

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
    """`key` says what the switch is about: everything, or `level:code`."""

    channel = channel_field()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.key:
            self.initial["key"] = f"{self.instance.level}:{self.instance.key}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        level, _, cleaned["key"] = cleaned.get("key", "").partition(":")
        self.instance.level = level or _LEVELS.CHANNEL
        self.instance.tenant_id = self.instance.recipient.tenant_id
        return cleaned


class PreferenceFormSet(InlineFormSet[Preference, Recipient, PreferenceForm]):
    def clean(self) -> None:
        super().clean()
        seen: set[tuple[str, str, str]] = set()
        for form in self._kept():
            cleaned = form.cleaned_data
            switch = (form.instance.level, cleaned.get("key", ""), cleaned.get("channel", ""))
            if switch in seen:
                form.add_error("channel", "There is a switch for this already.")
            seen.add(switch)

    def _kept(self) -> Iterable[PreferenceForm]:
        return (form for form in self.forms if form.cleaned_data and form not in self.deleted_forms)


class PreferenceInline(TabularInline[Preference, Recipient]):
    """What the recipient wants. A template weighs more than a category, and that more than a channel."""

    model = Preference
    form = PreferenceForm
    formset = PreferenceFormSet  # type: ignore[assignment]  # of its own form
    fields = ("key", "channel", "enabled", "updated_at")
    readonly_fields = ("updated_at",)
    ordering = ("level", "key", "channel")
    extra = 0
    tab = True

    def get_formset(self, request: HttpRequest, obj: Recipient | None = None, **kwargs: Any) -> Any:
        """With what there is to choose from read once for all rows."""
        choices = [_EVERYTHING, *(self.subjects(obj) if obj else [])]
        widget = UnfoldAdminSelectWidget(choices=choices)
        key = forms.ChoiceField(choices=choices, required=False, widget=widget, label="What")
        kwargs["form"] = type("PreferenceForm", (self.form,), {"key": key})
        return super().get_formset(request, obj, **kwargs)

    def subjects(self, recipient: Recipient) -> list[tuple[str, list[tuple[str, str]]]]:
        """Categories and templates, as `level:code` and a name: those of the tenant, and those spoken of."""
        known = self.known(recipient)
        spoken = Preference.objects.filter(recipient=recipient).exclude(key="").values_list("level", "key")
        for level, code in spoken.distinct():
            known[level].setdefault(code, f"{code} (there is none any more)")
        return [
            (heading, [(f"{level}:{code}", name) for code, name in known[level].items()])
            for level, heading in ((_LEVELS.CATEGORY, "Categories"), (_LEVELS.TEMPLATE, "Templates"))
        ]

    def known(self, recipient: Recipient) -> dict[str, dict[str, str]]:
        """Names by code, by level. What templates there are is known further up the house."""
        of_tenant = Category.objects.filter(tenant=recipient.tenant_id).order_by("name")
        return {_LEVELS.CATEGORY: dict(of_tenant.values_list("code", "name")), _LEVELS.TEMPLATE: {}}


@admin.register(Recipient)
class RecipientAdmin(NewestFirstAdmin[Recipient]):
    form = RecipientForm
    list_display = (
        *("external_id", "type", "tenant", "email", "phone", "blocked", "locale", "timezone", "created"),
    )
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, ("created_at", CreatedFilter))
    search_help_text = "ID, or how an email address or a phone number begins"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("id", "created_at", "updated_at")
    inlines: ClassVar[tuple[type[TabularInline[Any, Recipient]], ...]] = (PreferenceInline, DeviceInline)
    fieldsets = (
        (None, {"fields": ("tenant", ("external_id", "type"))}),
        ("Addresses", {"fields": (("email", "phone"), ("slack", "discord"), "webhook")}),
        ("Words and clocks", {"fields": (("locale", "timezone"),)}),
        ("When they want quiet", {"fields": ("do_not_disturb_until", "quiet_hours")}),
        ("How much they want", {"fields": ("frequency",)}),
        ("Block", {"fields": ("block",)}),
        ("Record", {"fields": ("id", ("created_at", "updated_at"))}),
    )

    @display(description="Blocked", label={"blocked": "danger"})
    def blocked(self, recipient: Recipient) -> str | None:
        return "blocked" if recipient.block else None

    def get_form(
        self, request: HttpRequest, obj: Recipient | None = None, change: bool = False, **options: Any
    ) -> Any:
        return super().get_form(request, obj, change, **options, help_texts=_HELP, labels=_LABELS)

    def save_model(self, request: HttpRequest, obj: Recipient, form: Any, change: bool) -> None:
        """Locked, as by all who change what decides about somebody. How often that was is not the form's."""
        if change:
            held = Recipient.objects.select_for_update(no_key=True).get(pk=obj.pk)
            obj.preferences_version = held.preferences_version
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """What is planned and has not left is decided again."""
        super().save_related(request, form, formsets, change)
        if change and (form.has_changed() or any(formset.has_changed() for formset in formsets)):
            with tenant_scope(form.instance.tenant_id):
                changes.of_recipients(form.instance.tenant_id, [form.instance.pk])

    def exact_search(self, queryset: QuerySet[Recipient], term: str) -> QuerySet[Recipient]:
        """The partial indexes leave out those that are empty, so the question has to say so too."""
        if term.startswith("+"):
            return queryset.filter(~Q(phone=""), phone__startswith=term)
        return queryset.filter(Q(external_id=term) | Q(~Q(email=""), email__startswith=term))

    def get_readonly_fields(self, request: HttpRequest, obj: Recipient | None = None) -> tuple[str, ...]:
        """The tenant's services know a recipient by type and id: they do not change."""
        identity = ("tenant", "external_id", "type") if obj else ()
        return (*identity, *self.readonly_fields)
