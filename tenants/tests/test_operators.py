import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from tenants.tests.factories import api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/templates"


def login(
    name: str = "ann", *, csrf: bool = False, is_staff: bool = True, is_superuser: bool = False
) -> tuple[APIClient, User]:
    user = User.objects.create_user(name, is_staff=is_staff, is_superuser=is_superuser)
    client = APIClient(enforce_csrf_checks=csrf)
    client.force_login(user)
    return client, user


def test_it_works() -> None:
    create_tenant()
    client, _ = login(is_superuser=True)

    assert client.get(URL).status_code == 200


def test_it_wants_the_tenant_named_where_there_are_several() -> None:
    first, _ = create_tenant(), create_tenant()
    client, _ = login(is_superuser=True)

    assert client.get(URL).json()["code"] == "tenant_required"
    assert client.get(URL, headers={"X-Tenant": first.slug}).status_code == 200


def test_it_knows_no_other_tenant_and_no_inactive_one() -> None:
    create_tenant()
    closed = create_tenant(is_active=False)
    client, _ = login(is_superuser=True)

    assert [client.get(URL, headers={"X-Tenant": slug}).status_code for slug in ("no", "", closed.slug)] == [
        404
    ] * 3


def test_it_refuses_strangers_services_and_users_who_are_not_staff() -> None:
    tenant = create_tenant()
    plain, _ = login(is_staff=False, is_superuser=True)

    answers = [client.get(URL) for client in (APIClient(), plain, api(create_api_key(tenant)))]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (401, "not_authenticated")
    ] * 3


def test_it_grants_staff_what_their_permissions_say() -> None:
    create_tenant()
    client, user = login()
    assert client.get(URL).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_template"))

    assert client.get(URL).status_code == 200
    assert client.post(URL, {"code": "a", "name": "A"}, format="json").status_code == 403


def test_it_refuses_changes_that_another_site_sends() -> None:
    create_tenant()
    client, _ = login(is_superuser=True, csrf=True)

    assert client.post(URL, {"code": "a", "name": "A"}, format="json").status_code == 403
