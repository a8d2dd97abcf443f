"""Lists of values: for everybody to read, some for operators to change."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from notifications.lookups import BATCH_STATUSES, LISTS, OWN
from notifications.models import Notification
from notifications.reading import batch_status
from notifications.tests.calls import a_notification
from preferences.models import Category
from preferences.tests.factories import create_recipient
from templates_app.tests.factories import create_template, operator
from tenants.authentication import mint_recipient_token
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL, ADMIN = "/api/v1/lookups", "/api/v1/admin/lookups"


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def listed(who: Any, list_name: str, asked: str = "") -> dict[str, str]:
    answer = who.get(f"{URL}/{list_name}{asked}")
    assert answer.status_code == 200, answer.json()
    return {value["code"]: value["label"] for value in answer.json()["results"]}


def test_it_works(tenant: Tenant, service: Api) -> None:
    answer = service.get(f"{URL}/priorities").json()
    assert (answer["type"], answer["editable"]) == ("priorities", False)
    assert answer["results"][0] == {"code": "urgent", "label": "Urgent", "translations": {"de": "Dringend"}}
    assert service.get(URL).json()["types"] == list(LISTS)
    assert list(listed(service, "categories")) == ["transactional", "marketing", "system", "alert"]


def test_every_value_has_a_label(service: Api) -> None:
    for name in LISTS:
        values = service.get(f"{URL}/{name}").json()["results"]
        assert values
        assert all(value["code"] and value["label"] for value in values)
        assert all("de" in value["translations"] for value in values)


def test_a_batch_has_no_other_status() -> None:
    counts: list[dict[str, int]] = [
        {},
        {"accepted": 1},
        {"sent": 1, "processing": 1},
        {"sent": 1},
        {"failed": 1},
    ]
    seen = {batch_status(one, expected=None, canceled=False) for one in counts}
    seen.add(batch_status({}, expected=None, canceled=True))
    assert seen <= set(BATCH_STATUSES)


def test_everybody_with_a_credential_may_look(tenant: Tenant, service: Api, client: APIClient) -> None:
    token, _ = mint_recipient_token(tenant, "ann", "user")
    nothing = api(create_api_key(tenant, scopes=[]))
    for who in (service, nothing, api(token), client):
        assert listed(who, "channels")["sms"] == "Text message"
    for stranger in (APIClient(), api("ck_live_nonsense"), api("nonsense")):
        assert stranger.get(f"{URL}/channels").status_code == 401
    anonymous = operator(tenant, is_staff=False)
    assert anonymous.get(f"{URL}/channels").status_code == 401


def test_labels_come_in_the_locale_that_is_asked_for(tenant: Tenant, service: Api) -> None:
    assert listed(service, "statuses", "?locale=de-AT")["sent"] == "Gesendet"
    assert listed(service, "statuses", "?locale=fr")["sent"] == "Sent"
    Tenant.objects.filter(pk=tenant.pk).update(locale="de")
    assert listed(service, "statuses")["sent"] == "Gesendet"


def test_what_is_known_is_not_sent_again(tenant: Tenant, service: Api, client: APIClient) -> None:
    first = service.get(f"{URL}/user_types")
    assert first["Cache-Control"] == "private, max-age=60"
    assert {"Authorization", "X-Tenant"} <= {name.strip() for name in first["Vary"].split(",")}
    again = service.get(f"{URL}/user_types", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    other = service.get(f"{URL}/user_types?locale=de", headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    client.post(f"{ADMIN}/user_types", {"code": "vip", "label": "VIP"})
    assert service.get(f"{URL}/user_types", headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize("list_name", OWN)
def test_a_tenants_own_lists_are_changed(
    tenant: Tenant, service: Api, client: APIClient, list_name: str
) -> None:
    before = listed(service, list_name)
    added = client.post(
        f"{ADMIN}/{list_name}", {"code": "vip", "label": "Regular", "translations": {"de": "Stammkunde"}}
    )
    assert (added.status_code, added.json()["translations"]) == (201, {"de": "Stammkunde"})
    assert listed(service, list_name) == {**before, "vip": "Regular"}
    assert listed(service, list_name, "?locale=de")["vip"] == "Stammkunde"
    assert (
        client.post(f"{ADMIN}/{list_name}", {"code": "vip", "label": "x"}).json()["code"] == "lookup_exists"
    )

    changed = client.patch(f"{ADMIN}/{list_name}/vip", {"label": "VIP"})
    assert changed.json() == {"code": "vip", "label": "VIP", "translations": {"de": "Stammkunde"}}
    client.patch(f"{ADMIN}/{list_name}/vip", {"translations": {}})
    assert listed(service, list_name, "?locale=de")["vip"] == "VIP"

    assert client.delete(f"{ADMIN}/{list_name}/vip").status_code == 204
    assert listed(service, list_name) == before
    assert client.delete(f"{ADMIN}/{list_name}/vip").status_code == 404
    assert listed(api(create_api_key(create_tenant())), list_name).get("vip") is None


def test_a_new_category_may_be_sent(tenant: Tenant, service: Api, client: APIClient) -> None:
    client.post(f"{ADMIN}/categories", {"code": "news", "label": "News"})
    sent = service.post("/api/v1/services/notifications/send", a_notification(category="news"))
    assert sent.status_code == 202


def test_what_is_in_use_stays(tenant: Tenant, client: APIClient, service: Api) -> None:
    create_template(tenant, category="alert", type="otp")
    create_recipient(tenant, external_id="bob", type="service")
    later = a_notification(category="marketing", delay=3600)
    assert service.post("/api/v1/services/notifications/send", later).status_code == 202
    for path in ("categories/alert", "categories/marketing", "template_types/otp", "user_types/service"):
        refused = client.delete(f"{ADMIN}/{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "lookup_in_use"), path
    assert Category.objects.filter(tenant=tenant, code="alert").exists()
    Notification.objects.all().delete()
    assert client.delete(f"{ADMIN}/categories/marketing").status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "colours", 404, "unknown_lookup"),
        ("post", "colours", 404, "unknown_lookup"),
        ("post", "priorities", 409, "lookup_fixed"),
        ("patch", "priorities/high", 409, "lookup_fixed"),
        ("delete", "priorities/high", 409, "lookup_fixed"),
        ("patch", "user_types/nobody", 404, "not_found"),
    ],
)
def test_it_says_why_not(client: APIClient, method: str, path: str, status: int, code: str) -> None:
    answer = getattr(client, method)(
        f"{ADMIN}/{path}", {"code": "a", "label": "A"} if method == "post" else {}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"label": "A"}, "/code"),
        ({"code": "a b", "label": "A"}, "/code"),
        ({"code": "a", "label": " "}, "/label"),
        ({"code": "a", "label": "A", "translations": {"german": "A"}}, "/translations/german"),
        ({"code": "a", "label": "A", "colour": "red"}, "/colour"),
    ],
)
def test_it_points_at_what_is_wrong(client: APIClient, body: Any, pointer: str) -> None:
    answer = client.post(f"{ADMIN}/user_types", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


def test_each_role_may_do_its_own(tenant: Tenant) -> None:
    someone = operator(tenant, is_superuser=False)
    assert someone.get(f"{ADMIN}/user_types").status_code == 200
    assert someone.post(f"{ADMIN}/user_types", {"code": "a", "label": "A"}).status_code == 403
    User.objects.latest("pk").user_permissions.add(Permission.objects.get(codename="add_lookupvalue"))
    assert someone.post(f"{ADMIN}/user_types", {"code": "a", "label": "A"}).status_code == 201
    assert someone.post(f"{ADMIN}/categories", {"code": "a", "label": "A"}).status_code == 403
