from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminSelectWidget

from tenants import lookups
from tenants.admin.base import ModelForm, OperatorAdmin, code, display
from tenants.admin.filters import TENANT_FILTER
from tenants.ids import new_id
from tenants.lookups import TEMPLATE_TYPES, USER_TYPES, LookupValue

_TYPES = [(TEMPLATE_TYPES, "Template types"), (USER_TYPES, "User types")]


class LookupValueForm(ModelForm[LookupValue]):
    type = forms.ChoiceField(choices=_TYPES, label="List", widget=UnfoldAdminSelectWidget(choices=_TYPES))
    translations = forms.JSONField(
        required=False,
        initial=dict,
        widget=UnfoldAdminExpandableTextareaWidget,
        help_text='Locale → label, e.g. {"de": "Kunde"}.',
    )

    def clean_translations(self) -> dict[str, str]:
        said = self.cleaned_data["translations"] or {}
        if not isinstance(said, dict) or not all(isinstance(label, str) and label for label in said.values()):
            raise forms.ValidationError('It holds labels by locale, e.g. {"de": "Kunde"}.')
        return said


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
