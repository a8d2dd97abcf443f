from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from preferences import changes
from preferences.categories import create_default_categories
from tenants.admin.tenants import TenantAdmin
from tenants.context import tenant_scope
from tenants.models import Tenant

admin.site.unregister(Tenant)

_SWITCHED_OFF = (
    "Switched off, its keys and tokens are refused; what was accepted before is still sent. "
    "It is not deleted here: manage.py delete_tenant removes one that is switched off, with all of its own."
)


@admin.register(Tenant)
class FurnishedTenantAdmin(TenantAdmin):
    """A new tenant has what each part of the house gives it from the start, as by `create_tenant`."""

    def get_form(
        self, request: HttpRequest, obj: Tenant | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(request, obj, change, **kwargs, help_texts={"is_active": _SWITCHED_OFF})

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:  # meanwhile somebody may have counted a change that the form knows nothing of
            held = Tenant.objects.select_for_update(no_key=True).get(pk=obj.pk)
            obj.rules_version = held.rules_version
        super().save_model(request, obj, form, change)
        if not change:
            create_default_categories(obj)
            return
        with tenant_scope(obj.pk):
            changes.of_tenant(obj.pk)
