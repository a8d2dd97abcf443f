"""A tenant's beginning and end, in every part of the house."""

from __future__ import annotations

import time

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Model

from delivery.models import IN_FLIGHT, Delivery
from notifications.cancellation import cancel_all
from preferences.categories import create_default_categories
from tenants.context import tenant_scope
from tenants.models import Tenant

_PAUSE = 0.5  # seconds between two looks at what is being sent


class TenantInUseError(Exception):
    """The tenant cannot be deleted now. Says why, and what to do."""


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


def delete_tenant(tenant: Tenant, *, patience: float) -> dict[str, int]:
    """Remove the tenant and every row of its own, in one transaction; how many rows of what.

    What has not left is canceled before, and what is being sent is waited for, at most `patience` seconds.
    Raises `TenantInUseError` when the tenant is switched on, or is still sending after that.
    """
    if tenant.is_active:
        raise TenantInUseError(
            f"The tenant {tenant.slug!r} is active: its services may send. Switch it off in the admin first."
        )
    _fall_silent(tenant, patience)
    with tenant_scope(tenant.pk):
        _delete(Tenant, "id", tenant)  # first: published versions go only when it is gone
        return {str(m._meta.verbose_name_plural): _delete(m, "tenant_id", tenant) for m in owned_models()}


def owned_models() -> list[type[Model]]:
    """The models of which each row is a tenant's own, parents before their children."""
    return [
        model
        for model in apps.get_models()
        if any(field.name == "tenant" and field.related_model is Tenant for field in model._meta.fields)
    ]


def _fall_silent(tenant: Tenant, patience: float) -> None:
    """A worker writes down what it sent, and must find the rows to do so; what fails may be tried again."""
    give_up = time.monotonic() + patience
    while True:
        cancel_all(tenant.pk)
        with tenant_scope(tenant.pk):
            in_flight = Delivery.objects.filter(tenant=tenant, status__in=IN_FLIGHT).count()
        if not in_flight:
            return
        if time.monotonic() >= give_up:
            raise TenantInUseError(
                f"{in_flight} deliveries of {tenant.slug!r} are still being sent, or their worker was lost. "
                "See that beat and a worker run, and try again."
            )
        time.sleep(_PAUSE)


def _delete(model: type[Model], column: str, tenant: Tenant) -> int:
    """A statement a table: Django would read the rows first, to see what hangs on each."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {column} = %s", [tenant.pk])
        return int(cursor.rowcount)
