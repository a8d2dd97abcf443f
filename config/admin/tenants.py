from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from preferences.categories import create_default_categories
from tenants.admin.tenants import TenantAdmin
from tenants.models import Tenant

admin.site.unregister(Tenant)


@admin.register(Tenant)
class FurnishedTenantAdmin(TenantAdmin):
    """A new tenant has what each part of the house gives it from the start, as by `create_tenant`."""

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            create_default_categories(obj)
