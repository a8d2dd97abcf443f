from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connections

from preferences.directory import suppress
from preferences.models import Device, Preference, Recipient
from preferences.suppressions import among
from preferences.tests.factories import create_recipient
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

EVERYTHING: dict[str, Any] = {
    "email": "Ann@EXAMPLE.com",
    "phone": "(500) 555-0006",
    "locale": "pt-br",
    "timezone": "America/Bahia",
    "devices": ["phone", {"token": "browser", "platform": "web"}],
    "slack": "C024BE91L",
    "discord": "https://discord.example/api/webhooks/1/x",
    "webhook": "https://shop.example/hook",
}


@pytest.fixture
def service() -> Api:
    return api(create_api_key(create_tenant()))


def url(id_: str = "ann", query: str = "") -> str:
    return f"/api/v1/services/recipients/{quote(id_, safe='')}{query}"


def refusal(response: Any, status: int) -> list[tuple[str, str]]:
    """What is wrong and where, of a problem document."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def test_it_works(service: Api) -> None:
    created = service.put(url(), EVERYTHING)
    assert created.status_code == 201
    stored = service.get(url()).json()
    assert created.json() == stored
    assert [(device["token"], device["platform"]) for device in stored["devices"]] == [
        ("phone", ""),
        ("browser", "web"),
    ]
    assert stored == {
        **stored,
        "id": "ann",
        "type": "user",
        "email": "Ann@example.com",
        "phone": "+15005550006",
        "locale": "pt-BR",
        "timezone": "America/Bahia",
        "slack": "C024BE91L",
        "discord": "https://discord.example/api/webhooks/1/x",
        "webhook": "https://shop.example/hook",
    }


def test_put_again_replaces(service: Api) -> None:
    service.put(url(), EVERYTHING)
    again = service.put(url(), {"email": "new@example.com"})
    assert again.status_code == 200
    assert (again.json()["email"], again.json()["phone"]) == ("new@example.com", None)
    assert len(again.json()["devices"]) == 2
    assert Recipient.objects.count() == 1


def test_put_replaces_devices_when_it_names_them(service: Api) -> None:
    service.put(url(), EVERYTHING)
    devices = service.put(url(), {"devices": ["browser", "new"]}).json()["devices"]
    assert {device["token"]: device["platform"] for device in devices} == {"browser": "web", "new": ""}


def test_put_reads_phones_as_the_tenant_does() -> None:
    german = api(create_api_key(create_tenant(country="DE")))
    assert german.put(url(), {"phone": "030 901820"}).json()["phone"] == "+4930901820"


@pytest.mark.django_db(transaction=True)
def test_put_is_safe_side_by_side(service: Api) -> None:
    def work(thread: int) -> int:
        try:
            return service.put(
                url(), {"slack": f"C{thread}", "devices": ["shared", f"t{thread}"]}
            ).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(work, range(6))) == [200] * 5 + [201]
    stored = service.get(url()).json()
    assert [device["token"] for device in stored["devices"]].count("shared") == 1


def test_put_takes_the_identity_of_the_url(service: Api) -> None:
    assert service.put(url("ann", "?type=driver"), {"id": "ann", "type": "driver"}).status_code == 201
    response = service.put(url("ann", "?type=driver"), {"id": "bob", "type": "user"})
    assert refusal(response, 400) == [("/type", "mismatch"), ("/id", "mismatch")]


def test_patch_changes_what_is_given(service: Api) -> None:
    before = service.put(url(), EVERYTHING).json()
    after = service.patch(url(), {"email": "new@example.com", "phone": None}).json()
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == {**before, "email": "new@example.com", "phone": None}
    assert service.get(url()).json()["phone"] is None


def test_patch_replaces_and_clears_devices(service: Api) -> None:
    service.put(url(), EVERYTHING)
    assert [d["token"] for d in service.patch(url(), {"devices": ["new"]}).json()["devices"]] == ["new"]
    assert service.patch(url(), {"devices": None}).json()["devices"] == []


def test_patch_of_nothing_changes_nothing(service: Api) -> None:
    before = service.put(url(), EVERYTHING).json()
    after = service.patch(url(), {}).json()
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


def test_delete_forgets_all_but_suppressions() -> None:
    tenant = create_tenant()
    service = api(create_api_key(tenant))
    ann = create_recipient(tenant, external_id="ann", devices=["t"])
    Preference.objects.create(tenant=tenant, recipient=ann, level="channel", channel="sms", enabled=False)
    suppress(tenant.pk, [("email", "ann@example.com", "bounced")])
    assert service.delete(url()).status_code == 204
    assert not Device.objects.exists()
    assert not Preference.objects.exists()
    assert among(tenant.pk, [("email", "ann@example.com")])
    assert refusal(service.get(url()), 404) == []


@pytest.mark.parametrize(
    "id_", ["a/b", "/", "a/devices/x", "user 1", "ünïcode 🔔", "a?b#c", "100%", "..", "a%2Fb", '"', "x" * 255]
)
def test_it_takes_odd_ids(service: Api, id_: str) -> None:
    assert service.put(url(id_), {"email": "ann@example.com"}).json()["id"] == id_
    assert service.get(url(id_)).json()["id"] == id_
    assert service.post(f"{url(id_)}/devices", {"token": "t"}).status_code == 201
    assert service.post(f"{url(id_)}/token").status_code == 201
    assert service.delete(url(id_)).status_code == 204


@pytest.mark.parametrize(
    ("id_", "query", "pointer", "code"),
    [
        ("a\0b", "", "/id", "control_character"),
        ("a\x1bb", "", "/id", "control_character"),
        ("x" * 256, "", "/id", "string_too_long"),
        ("ann", "?type=%00", "/type", "control_character"),
        ("ann", "?type=", "/type", "string_too_short"),
        ("ann", f"?type={'x' * 65}", "/type", "string_too_long"),
    ],
)
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_it_refuses_impossible_ids(
    service: Api, method: str, id_: str, query: str, pointer: str, code: str
) -> None:
    assert refusal(getattr(service, method)(url(id_, query)), 400) == [(pointer, code)]


def test_it_finds_no_id_with_a_line_break(service: Api) -> None:
    assert refusal(service.put(url("a\nb"), {}), 404) == []


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"phone": "12345"}, [("/phone", "invalid_phone")]),
        ({"timezone": "Mars/Olympus"}, [("/timezone", "unknown_timezone")]),
        ({"email": "ann"}, [("/email", "invalid_email")]),
        ({"email": ["ann@example.com"]}, [("/email", "string_type")]),
        ({"mail": "ann@example.com"}, [("/mail", "unknown_field")]),
        ({"slack": "C1\x07"}, [("/slack", "control_character")]),
        ({"slack": "C1\0"}, [("/slack", "control_character")]),
        ({"devices": ["ok", {"token": ""}]}, [("/devices/1/token", "string_too_short")]),
        ({"email": "ann", "locale": "x"}, [("/email", "invalid_email"), ("/locale", "invalid_locale")]),
        ([], [("", "model_type")]),
        ("ann", [("", "model_type")]),
    ],
)
def test_it_refuses_and_stores_nothing(
    service: Api, method: str, body: Any, errors: list[tuple[str, str]]
) -> None:
    service.put(url(), EVERYTHING)
    before = service.get(url()).json()
    assert refusal(getattr(service, method)(url(), body), 400) == errors
    assert service.get(url()).json() == before


def test_it_refuses_what_is_not_json(service: Api) -> None:
    response = service.put(url(), b'{"email"', content_type="application/json")
    assert refusal(response, 400) == []
    assert response.json()["code"] == "not_json"
    response = service.put(url(), b"email=ann@example.com", content_type="application/x-www-form-urlencoded")
    assert refusal(response, 415) == []


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_it_knows_nothing_of_other_tenants(service: Api, method: str) -> None:
    create_recipient(create_tenant(), external_id="ann")
    assert refusal(getattr(service, method)(url()), 404) == []
    assert Recipient.objects.filter(external_id="ann", email="ann@example.com").exists()


def test_put_leaves_other_tenants_alone(service: Api) -> None:
    theirs = create_recipient(create_tenant(), external_id="ann", devices=["shared"])
    assert service.put(url(), {"email": "mine@example.com", "devices": ["shared"]}).status_code == 201
    theirs.refresh_from_db()
    assert theirs.email == "ann@example.com"
    assert theirs.devices.count() == 1


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_it_asks_for_credentials(method: str) -> None:
    assert refusal(getattr(api("ck_live_guess"), method)(url()), 401) == []


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("get", "recipients:read"),
        ("put", "recipients:write"),
        ("patch", "recipients:write"),
        ("delete", "recipients:write"),
    ],
)
def test_it_asks_for_a_scope(method: str, scope: str) -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann")
    other = ({"recipients:read", "recipients:write"} - {scope}).pop()
    lesser, holder = api(create_api_key(tenant, [other])), api(create_api_key(tenant, [scope]))
    assert refusal(getattr(lesser, method)(url(), {}), 403) == []
    assert getattr(holder, method)(url(), {}).status_code in {200, 204}
