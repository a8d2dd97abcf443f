from __future__ import annotations

import pytest
from django.test import Client

from preferences.models import Category
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post, see

pytestmark = pytest.mark.django_db
TENANTS = "/admin/tenants/tenant/"


def form(**over: object) -> dict[str, object]:
    known = {"name": "Shop", "slug": "shop", "is_active": "on", "locale": "en", "timezone": "Europe/Berlin"}
    return {**known, "country": "de", "default_channels": '["in_app", ["sms", "email"]]', **over}


def test_it_works(admin_client: Client) -> None:
    post(admin_client, f"{TENANTS}add/", form())
    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.country) == ("shop", "DE")
    assert tenant.default_channels == ["in_app", ["sms", "email"]]


def test_it_gives_a_new_tenant_its_categories(admin_client: Client) -> None:
    post(admin_client, f"{TENANTS}add/", form())
    assert Category.objects.filter(tenant__slug="shop", code="transactional").exists()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("timezone", "Berlin", "not an IANA time zone"),
        ("country", "1!", "not an ISO 3166 code"),
        ("default_channels", '{"email": 1}', "not a list of channels"),
        ("default_channels", "[[]]", "not a list of channels"),
    ],
)
def test_it_refuses_what_is_none(admin_client: Client, field: str, value: str, error: str) -> None:
    assert error in post(admin_client, f"{TENANTS}add/", form(**{field: value}))
    assert not Tenant.objects.exists()


def test_it_never_changes_the_slug(admin_client: Client) -> None:
    tenant = create_tenant(slug="old")
    post(admin_client, f"{TENANTS}{tenant.pk}/change/", form(name="New"))
    tenant.refresh_from_db()
    assert (tenant.slug, tenant.name) == ("old", "New")


def test_it_never_deletes(admin_client: Client) -> None:
    tenant = create_tenant()
    assert admin_client.post(f"{TENANTS}{tenant.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in see(admin_client, TENANTS)
    assert "manage.py delete_tenant" in see(admin_client, f"{TENANTS}{tenant.pk}/change/")


def test_it_lists_within_bounds(admin_client: Client) -> None:
    assert_bounded(admin_client, TENANTS, create_tenant)
