from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from tenants.admin.base import ModelForm, OperatorAdmin, action, code, display, go_to
from tenants.models import SCOPES, ApiKey


class ApiKeyForm(ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope} — {meaning}") for scope, meaning in SCOPES.items()],
        initial=list(SCOPES),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(OperatorAdmin[ApiKey]):
    """A key is issued and revoked, nothing between: whoever holds it relies on what it may do."""

    form = ApiKeyForm
    list_display = (
        "key",
        "name",
        "tenant",
        "mode_label",
        "state",
        "scope_list",
        "last_used_at",
        "expires_at",
    )
    list_select_related = ("tenant",)
    list_filter = ("tenant", "mode")
    search_fields = ("prefix__startswith", "name")
    autocomplete_fields = ("tenant",)
    actions = ("revoke_selected",)
    actions_detail = ("revoke",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "name", "mode", "expires_at")}),
        ("What it may do", {"fields": ("scopes",)}),
    )
    fieldsets = (
        (None, {"fields": (("key", "state"), ("tenant", "name"), ("mode", "scope_list"))}),
        ("Record", {"fields": (("created_at", "last_used_at"), ("expires_at", "revoked_at"))}),
    )
    readonly_fields = ("key", "state", "scope_list", "created_at", "last_used_at", "revoked_at")

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    @display(description="Key")
    def key(self, key: ApiKey) -> str:
        return code(f"{key.prefix}…")

    @display(description="Mode", label={"live": "primary", "test": "info"})
    def mode_label(self, key: ApiKey) -> str:
        return key.mode

    @display(description="State", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "revoked"
        return "valid" if key.is_valid() else "expired"

    @display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        return "all" if set(key.scopes) == set(SCOPES) else ", ".join(key.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Issue it. The secret stays with this request, until `response_add` shows it."""
        fields = {name: getattr(obj, name) for name in ("name", "expires_at")}
        issued, secret = ApiKey.issue(tenant=obj.tenant, scopes=obj.scopes, mode=obj.mode, **fields)
        obj.pk, obj.prefix = issued.pk, issued.prefix
        request.META["carillon.secret"] = secret

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The one page that shows the secret: rendered here, stored nowhere, not even in a message."""
        context = {
            **self.admin_site.each_context(request),
            "title": "A new API key",
            "opts": self.opts,
            "key": obj,
            "secret": request.META.pop("carillon.secret"),
        }
        return TemplateResponse(
            request, "tenants/admin/secret.html", context, headers={"Cache-Control": "no-store"}
        )

    @action(
        description="Revoke",
        icon="key_off",
        danger=True,
        asks=("Revoke this key?", "Whoever uses it is refused from now on. This cannot be undone.", "Revoke"),
    )
    def revoke(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        self._revoke(request, ApiKey.objects.filter(pk=self.one(request, object_id).pk))
        return go_to(self.page_of(object_id))

    @admin.action(description="Revoke selected keys", permissions=["operate"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self._revoke(request, queryset)

    def _revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        revoked = list(keys.filter(revoked_at=None))
        ApiKey.objects.filter(pk__in=[key.pk for key in revoked]).update(revoked_at=timezone.now())
        for key in revoked:
            self.log_change(request, key, "Revoked.")
        messages.success(request, f"Revoked: {', '.join(map(str, revoked)) or 'nothing that was not yet'}.")
