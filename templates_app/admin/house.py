"""Layouts, partials and the brand: what mails share, and what is published with it as it was before."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminURLInputWidget,
)

from templates_app.house_style import NO_LAYOUT, Brand, Layout, Partial
from templates_app.kit import Frame, kit_of
from templates_app.models import TemplateVersion
from templates_app.renewing import publish_anew, uses
from templates_app.soundness import layout_error, partial_error
from templates_app.workshop import RenderError
from tenants.admin.base import ModelForm, OperatorAdmin, action, code, display, go_to, link, page_of
from tenants.admin.filters import TENANT_FILTER
from tenants.models import Tenant

_SOURCE = {"spellcheck": "false", "class": "c-source", "rows": 24}
_ANEW = (
    "Publish anew?",
    "Each template that is published with it as it was before gets a new version of the same words. "
    "What was accepted keeps its version.",
    "Publish anew",
)


class LayoutForm(ModelForm[Layout]):
    source = forms.CharField(
        widget=UnfoldAdminTextareaWidget(_SOURCE),
        help_text="{{ content }} is where the content goes, {{ content.subject }} its subject; "
        "brand.* is the tenant's brand. Styles go into the elements when a version is published.",
    )

    def clean_code(self) -> str:
        if (name := str(self.cleaned_data["code"])) == NO_LAYOUT:
            raise forms.ValidationError(f'"{NO_LAYOUT}" is what a content says to have no layout.')
        return name

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        tenant = _tenant(self, said)
        if tenant and {"format", "source"} <= said.keys():
            frame = Frame(said["format"], said["source"])
            _put(self, layout_error(self.instance.code or said.get("code", ""), frame, kit_of(tenant)))
        return said


class PartialForm(ModelForm[Partial]):
    source = forms.CharField(
        widget=UnfoldAdminTextareaWidget(_SOURCE),
        help_text='Taken in by {% include "code" %}, word for word, in any part of a template or layout.',
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        tenant = _tenant(self, said)
        if tenant and "source" in said:
            name = self.instance.code or said.get("code", "")
            _put(self, partial_error(name, said["source"], kit_of(tenant)))
        return said


class BrandForm(ModelForm[Brand]):
    website = forms.URLField(required=False, assume_scheme="https", widget=UnfoldAdminURLInputWidget)
    logo_url = forms.URLField(
        required=False,
        assume_scheme="https",
        label="Logo",
        help_text="An image some 40 pixels high, at an address that readers can reach.",
        widget=UnfoldAdminURLInputWidget,
    )
    postal_address = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=Brand._meta.get_field("postal_address").help_text,
    )

    class Meta:
        colors = ("primary_color", "background_color", "text_color")
        widgets = dict.fromkeys(colors, UnfoldAdminColorInputWidget)


def _tenant(form: forms.ModelForm[Any], said: dict[str, Any]) -> Tenant | None:
    """None where the form names none that is sound."""
    tenant: Tenant | None = said.get("tenant") if "tenant" in form.fields else form.instance.tenant
    return tenant


def _put(form: forms.ModelForm[Any], error: RenderError | None) -> None:
    if error is not None:
        form.add_error("source", f"Line {error.line}: {error.message}" if error.line else error.message)


class HouseAdmin(OperatorAdmin[Any]):
    """What versions are made of. `ingredient` names it as `renewing` does."""

    list_filter = (TENANT_FILTER,)
    list_select_related = ("tenant",)
    autocomplete_fields = ("tenant",)
    actions_detail = ("anew",)

    class Media:
        js = ("templates_app/editor.js",)
        css = {"all": ("templates_app/workbench.css",)}

    def ingredient(self, row: Any) -> str:
        raise NotImplementedError

    @display(description="Code", ordering="code")
    def code_label(self, row: Layout | Partial) -> str:
        return code(row.code)

    @display(description="Published with it")
    def published_with_it(self, row: Any) -> SafeString | str:
        shown = [
            (link(page_of(TemplateVersion, use.version.pk), use.version), _state(use.is_current))
            for use in uses(row.tenant, self.ingredient(row))
        ]
        return format_html_join("", '<div>{} <span class="c-dim">{}</span></div>', shown) or "nothing yet"

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, ("Published with it", {"fields": ("published_with_it",)})] if obj else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Templates name it by its code: that does not change."""
        return ("published_with_it", "tenant", "code") if obj else ()

    def has_anew_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("templates_app.change_template")

    @action(description="Publish anew", icon="published_with_changes", asks=_ANEW, permissions=("anew",))
    def anew(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        row = self.one(request, object_id)
        renewal = publish_anew(row.tenant, self.ingredient(row), by=request.user.get_username())
        for version, error in renewal.refused:
            messages.error(request, f"{version.template.name} stays as it is: {error}")
        made = ", ".join(map(str, renewal.made))
        messages.success(request, f"Published: {made}." if made else "Nothing was out of date.")
        return go_to(self.page_of(object_id))


def _state(is_current: bool) -> str:
    return "" if is_current else "out of date"


@admin.register(Layout)
class LayoutAdmin(HouseAdmin):
    form = LayoutForm
    list_display = ("name", "code_label", "format", "is_default", "tenant", "changed_at")
    search_fields = ("code", "name")
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "code"), ("format", "is_default"))}),
        ("Source", {"fields": ("source",)}),
    )

    def ingredient(self, row: Layout) -> str:
        return f"layout:{row.code}"


@admin.register(Partial)
class PartialAdmin(HouseAdmin):
    form = PartialForm
    list_display = ("name", "code_label", "tenant", "changed_at")
    search_fields = ("code", "name")
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "code"))}),
        ("Source", {"fields": ("source",)}),
    )

    def ingredient(self, row: Partial) -> str:
        return f"partial:{row.code}"


@admin.register(Brand)
class BrandAdmin(HouseAdmin):
    form = BrandForm
    list_display = ("__str__", "website", "tenant", "changed_at")
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "website"), "logo_url", "postal_address")}),
        ("Colours", {"fields": (("primary_color", "background_color", "text_color"),)}),
    )

    def ingredient(self, row: Brand) -> str:
        return "brand"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("published_with_it", "tenant") if obj else ()
