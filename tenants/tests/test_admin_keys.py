from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from tenants.authentication import authenticate_key
from tenants.models import ApiKey, Tenant
from tenants.tests.factories import create_api_key, create_tenant
from tenants.tests.pages import assert_bounded, confirm, post, see, staff

pytestmark = pytest.mark.django_db
KEYS = "/admin/tenants/apikey/"


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def form(tenant: Tenant, **over: object) -> dict[str, object]:
    return {
        "tenant": str(tenant.pk),
        "name": "shop",
        "mode": "live",
        "scopes": ["notifications:send"],
        **over,
    }


def secret_in(page: str) -> str:
    return page.partition('id="secret">')[2].partition("<")[0]


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    answer = admin_client.post(f"{KEYS}add/", form(tenant))
    assert "no-store" in answer.headers["Cache-Control"]
    secret = secret_in(answer.content.decode())
    service = authenticate_key(secret)
    assert service.tenant == tenant
    assert service.key.scopes == ["notifications:send"]
    assert service.key.name == "shop"


def test_it_shows_the_secret_only_once(admin_client: Client, tenant: Tenant) -> None:
    secret = secret_in(post(admin_client, f"{KEYS}add/", form(tenant)))
    key = ApiKey.objects.get()
    assert secret.startswith(key.prefix)
    assert secret not in see(admin_client, KEYS)
    assert secret not in see(admin_client, f"{KEYS}{key.pk}/change/")
    assert secret not in str(list(LogEntry.objects.values()))


def test_it_asks_for_a_scope(admin_client: Client, tenant: Tenant) -> None:
    page = post(admin_client, f"{KEYS}add/", form(tenant, scopes=[]))
    assert "This field is required" in page
    assert not ApiKey.objects.exists()


def test_it_refuses_unknown_scopes(admin_client: Client, tenant: Tenant) -> None:
    page = post(admin_client, f"{KEYS}add/", form(tenant, scopes=["everything:do"]))
    assert "is not one of the available choices" in page
    assert not ApiKey.objects.exists()


def test_it_never_edits_a_key(admin_client: Client, tenant: Tenant) -> None:
    create_api_key(tenant, name="old")
    key = ApiKey.objects.get()
    assert admin_client.post(f"{KEYS}{key.pk}/change/", form(tenant, name="new")).status_code == 403
    key.refresh_from_db()
    assert key.name == "old"


def test_it_revokes_a_key(admin_client: Client, tenant: Tenant) -> None:
    create_api_key(tenant)
    key = ApiKey.objects.get()
    confirm(admin_client, f"{KEYS}{key.pk}/revoke/")
    key.refresh_from_db()
    assert not key.is_valid()
    assert "revoked" in see(admin_client, f"{KEYS}{key.pk}/change/")


def test_it_asks_before_it_revokes(admin_client: Client, tenant: Tenant) -> None:
    create_api_key(tenant)
    key = ApiKey.objects.get()
    assert "Revoke this key?" in see(admin_client, f"{KEYS}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.is_valid()


def test_it_revokes_selected_keys_and_leaves_those_that_were(admin_client: Client, tenant: Tenant) -> None:
    create_api_key(tenant)
    create_api_key(tenant)
    first, second = ApiKey.objects.order_by("pk")
    confirm(admin_client, f"{KEYS}{first.pk}/revoke/")
    first.refresh_from_db()
    chosen = [str(first.pk), str(second.pk)]
    page = post(admin_client, KEYS, {"action": "revoke_selected", "_selected_action": chosen})
    assert f"Revoked: {second}" in page
    assert ApiKey.objects.get(pk=first.pk).revoked_at == first.revoked_at


def test_it_lets_only_those_revoke_who_may_change(tenant: Tenant) -> None:
    create_api_key(tenant)
    key = ApiKey.objects.get()
    viewer = staff("tenants.view_apikey")
    assert "/revoke/" not in see(viewer, f"{KEYS}{key.pk}/change/")
    assert viewer.post(f"{KEYS}{key.pk}/revoke/", {"_form_submitted": "on"}).status_code == 403
    key.refresh_from_db()
    assert key.is_valid()


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, KEYS, lambda: create_api_key(tenant))
