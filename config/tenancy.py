"""A new tenant and what each part of the house gives it from the start."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from preferences.categories import create_default_categories
from tenants.context import tenant_scope
from tenants.models import Tenant


def create_tenant(*, slug: str, name: str = "") -> Tenant:
    """Raises Django's ValidationError when the slug is taken or is none."""
    tenant = Tenant(slug=slug, name=name or slug.replace("-", " ").replace("_", " ").title())
    if Tenant.objects.filter(slug=slug).exists():
        raise ValidationError(f"There is a tenant {slug!r} already.")
    tenant.full_clean()
    with transaction.atomic():
        tenant.save()
        with tenant_scope(tenant.pk):
            create_default_categories(tenant)
    return tenant
