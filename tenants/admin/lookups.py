from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from tenants import lookups
from tenants.admin.base import ModelForm, OperatorAdmin, code, display
from tenants.admin.filters import TENANT_FILTER
from tenants.admin.tables import Column, Rows, TableField, text
from tenants.ids import new_id
from tenants.lookups import TEMPLATE_TYPES, USER_TYPES, LookupValue

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_TYPES = [(TEMPLATE_TYPES, "Template types"), (USER_TYPES, "User types")]


class TranslationsField(TableField):
    """Labels by locale, one a row."""

    columns = {"locale": Column("Locale", text("de", size="5")), "label": Column("Label", text("Kunde"))}

    def rows(self, document: Any) -> Rows:
        return Rows({"locale": locale, "label": label} for locale, label in (document or {}).items())

    def document(self, rows: Rows) -> dict[str, str]:
        typed = [((row["locale"] or "").strip(), (row["label"] or "").strip()) for row in rows]
        said = [(locale, label) for locale, label in typed if locale or label]
        if not all(locale and label for locale, label in said):
            raise ValidationError("A row has a locale and a label, or neither.")
        if strange := [locale for locale, _ in said if not _LOCALE.fullmatch(locale)]:
            raise ValidationError(f"{strange[0]} is not a BCP 47 language tag such as de or pt-BR.")
        if len(found := dict(said)) < len(said):
            raise ValidationError("A locale stands there twice.")
        return found


class LookupValueForm(ModelForm[LookupValue]):
    type = forms.ChoiceField(choices=_TYPES, label="List", widget=UnfoldAdminSelectWidget(choices=_TYPES))
    translations = TranslationsField(
        label="In other languages", help_text="What it is called there, in forms that are in that language."
    )


@admin.register(LookupValue)
class LookupValueAdmin(OperatorAdmin[LookupValue]):
    """What a tenant's categories are called in other locales is kept here too, and edited with them."""

    form = LookupValueForm
    list_display = ("label", "code_label", "list_name", "tenant")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER,)
    search_fields = ("code", "label")
    autocomplete_fields = ("tenant",)
    fieldsets = ((None, {"fields": ("tenant", "type", ("label", "code"), "translations")}),)

    @display(description="Code", ordering="code")
    def code_label(self, value: LookupValue) -> str:
        return code(value.code)

    @display(description="List", ordering="type")
    def list_name(self, value: LookupValue) -> str:
        return dict(_TYPES)[value.type]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(type__in=dict(_TYPES))

    def get_readonly_fields(self, request: HttpRequest, obj: LookupValue | None = None) -> tuple[str, ...]:
        """Recipients and templates say the code: it does not change."""
        return ("tenant", "code") if obj else ()

    def save_model(self, request: HttpRequest, obj: LookupValue, form: Any, change: bool) -> None:
        """The first of its own stands after ours, not in their place."""
        if not change:
            lookups.begin(obj.tenant_id, obj.type)
            obj.pk = new_id()
        super().save_model(request, obj, form, change)
