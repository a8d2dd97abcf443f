"""Templates for tests, of this suite and the others."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from templates_app.inspection import Draft
from templates_app.models import Template, TemplateVersion
from templates_app.publishing import publish, save_draft
from tenants.models import Tenant

GREETING = (Draft("sms", "en", {"body": "Hi {{ name }}"}),)
ANN = {"name": "Ann"}


def create_template(tenant: Tenant, code: str = "greeting", **over: Any) -> Template:
    return Template.objects.create(**{"tenant": tenant, "code": code, "name": code.title(), **over})


def create_version(
    tenant: Tenant,
    *contents: Draft,
    sample_data: Mapping[str, Any] | None = None,
    template: Template | None = None,
) -> TemplateVersion:
    """A draft: "Hi {{ name }}" by SMS, unless told otherwise."""
    sample = ANN if sample_data is None else sample_data
    return save_draft(template or create_template(tenant), contents or GREETING, sample)


def create_published(
    tenant: Tenant,
    *contents: Draft,
    sample_data: Mapping[str, Any] | None = None,
    template: Template | None = None,
) -> TemplateVersion:
    return publish(create_version(tenant, *contents, sample_data=sample_data, template=template))


def operator(tenant: Tenant, *, is_superuser: bool = True, is_staff: bool = True) -> APIClient:
    """The client of somebody who is logged in, at work for the tenant."""
    name = f"ops-{tenant.slug}-{User.objects.count()}"
    user = User.objects.create_user(name, is_staff=is_staff, is_superuser=is_superuser)
    client = APIClient(headers={"X-Tenant": tenant.slug})
    client.default_format = "json"
    client.force_login(user)
    return client
