import json
from typing import Any

import pytest

from preferences.models import Device
from preferences.tests.factories import create_recipient
from preferences.tests.test_recipients_api import refusal
from tenants.authentication import mint_recipient_token
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

SERVICE = "/api/v1/services/recipients/ann/devices"
OWN = "/api/v1/users/me/devices"


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


@pytest.fixture(params=[SERVICE, OWN])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(tenant: Tenant, url: str) -> Api:
    """Who may call the URL: a service, or Ann."""
    if url == SERVICE:
        return api(create_api_key(tenant))
    return api(mint_recipient_token(tenant, external_id="ann", type="user")[0])


def tokens(external_id: str = "ann") -> list[str]:
    return list(Device.objects.filter(recipient__external_id=external_id).values_list("token", flat=True))


def test_it_works(tenant: Tenant, client: Api, url: str) -> None:
    create_recipient(tenant, external_id="ann")
    answer = client.post(url, {"token": "t1", "platform": "android"})
    assert (answer.status_code, answer.json()) == (201, {"token": "t1", "platform": "android"})
    assert client.post(url, {"token": "t2"}).status_code == 201
    assert client.delete(url, {"token": "t1"}).status_code == 204
    assert tokens() == ["t2"]


def test_it_may_be_repeated(tenant: Tenant, client: Api, url: str) -> None:
    create_recipient(tenant, external_id="ann")
    for _ in range(2):
        assert client.post(url, {"token": "t1", "platform": "ios"}).status_code == 201
    assert tokens() == ["t1"]


def test_it_takes_a_device_from_who_had_it(tenant: Tenant, client: Api, url: str) -> None:
    create_recipient(tenant, external_id="ann")
    create_recipient(tenant, external_id="bob", devices=["shared"])
    client.post(url, {"token": "shared"})
    assert (tokens("ann"), tokens("bob")) == (["shared"], [])


def test_it_removes_no_device_of_others(tenant: Tenant, client: Api, url: str) -> None:
    create_recipient(tenant, external_id="ann")
    create_recipient(tenant, external_id="bob", devices=["theirs"])
    create_recipient(create_tenant(), external_id="ann", devices=["foreign"])
    for token in ("theirs", "foreign", "never"):
        assert refusal(client.delete(url, {"token": token}), 404) == []
    assert Device.objects.count() == 2


def test_it_knows_only_who_is_stored(client: Api, url: str) -> None:
    create_recipient(create_tenant(), external_id="ann")
    assert refusal(client.post(url, {"token": "t1"}), 404) == []
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/token", "missing")]),
        ({"token": ""}, [("/token", "string_too_short")]),
        ({"token": "x" * 2049}, [("/token", "string_too_long")]),
        ({"token": "t\n"}, [("/token", "invalid_token")]),
        ({"token": "t\0"}, [("/token", "control_character")]),
        ({"token": 7}, [("/token", "string_type")]),
        ({"token": "t", "platform": "Web Browser"}, [("/platform", "string_pattern_mismatch")]),
        ({"token": "t", "os": "x"}, [("/os", "unknown_field")]),
        ("t", [("", "model_type")]),
        ({"token": "{}"}, [("/token", "invalid_subscription")]),
        ({"token": {"endpoint": "https://push.example/1"}}, [("/token", "invalid_subscription")]),
    ],
)
def test_it_refuses_what_is_no_device(
    tenant: Tenant, client: Api, url: str, body: Any, errors: list[tuple[str, str]]
) -> None:
    create_recipient(tenant, external_id="ann")
    assert refusal(client.post(url, body), 400) == errors
    assert tokens() == []


KEYS = {"p256dh": "B" * 87, "auth": "A" * 22}
SUBSCRIPTION = {"endpoint": "https://push.example/1", "expirationTime": None, "keys": KEYS}


def test_a_browser_is_a_device_however_it_spells_its_subscription(
    tenant: Tenant, client: Api, url: str
) -> None:
    """https://w3c.github.io/push-api/#dom-pushsubscription-tojson"""
    create_recipient(tenant, external_id="ann")
    padded = {**SUBSCRIPTION, "keys": {"p256dh": "B" * 87 + "=", "auth": "A" * 22 + "=="}}
    for spelling in (SUBSCRIPTION, json.dumps(SUBSCRIPTION, indent=2), padded):
        assert client.post(url, {"token": spelling, "platform": "web"}).status_code == 201
    (token,) = tokens()
    keys = f'{{"auth":"{KEYS["auth"][:-1]}A","p256dh":"{KEYS["p256dh"][:-1]}A"}}'
    assert token == f'{{"endpoint":"https://push.example/1","keys":{keys}}}'
    assert client.delete(url, {"token": SUBSCRIPTION}).status_code == 204
    assert tokens() == []


@pytest.mark.parametrize(
    "over",
    [
        {"endpoint": "push.example"},
        {"endpoint": "ftp://push.example/1"},
        {"endpoint": "https://push.example/a b"},
        {"endpoint": "https://push.example/\n"},
        {"endpoint": "https://püsh.example/"},
        {"endpoint": 7},
        {"keys": {**KEYS, "auth": "A" * 21}},
        {"keys": {**KEYS, "p256dh": "B" * 88 + "*"}},
        {"keys": {**KEYS, "p256dh": 7}},
        {"keys": [KEYS]},
        {"keys": None},
    ],
)
def test_it_refuses_what_is_no_subscription(tenant: Tenant, over: dict[str, Any]) -> None:
    create_recipient(tenant, external_id="ann")
    token = json.dumps({**SUBSCRIPTION, **over})
    answer = api(create_api_key(tenant)).post(SERVICE, {"token": token})
    assert refusal(answer, 400) == [("/token", "invalid_subscription")]


def test_it_points_at_what_is_wrong_with_a_delete(tenant: Tenant, client: Api, url: str) -> None:
    create_recipient(tenant, external_id="ann")
    assert refusal(client.delete(url, {}), 400) == [("/token", "missing")]
    assert refusal(client.delete(url, {"token": "t\0"}), 400) == [("/token", "control_character")]


@pytest.mark.parametrize("method", ["post", "delete"])
def test_it_asks_for_credentials(method: str, url: str) -> None:
    assert refusal(getattr(api("nobody"), method)(url, {"token": "t"}), 401) == []


@pytest.mark.parametrize("method", ["post", "delete"])
def test_it_asks_services_for_a_scope(tenant: Tenant, method: str) -> None:
    create_recipient(tenant, external_id="ann", devices=["t"])
    reader = api(create_api_key(tenant, ["recipients:read"]))
    assert refusal(getattr(reader, method)(SERVICE, {"token": "t"}), 403) == []
