"""`/api/v1/admin/providers`"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from delivery import dispatch, vitals
from delivery.accounts import settings_of
from delivery.models import Delivery, ProviderAccount
from delivery.tests.factories import create_deliveries, create_twilio, twilio_settings
from sandbox.testing import RunningSandbox
from templates_app.tests.factories import operator
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/providers"
SECRET = "a-secret-token"


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def body(**over: Any) -> dict[str, Any]:
    settings = {**twilio_settings("http://127.0.0.1:1"), "auth_token": SECRET}
    return {"name": "main", "channel": "sms", "provider": "twilio", "settings": settings, **over}


def secret_of(id: str) -> str:
    settings: Any = settings_of(ProviderAccount.objects.get(pk=id))
    value: str = settings.auth_token.get_secret_value()
    return value


def test_it_works(client: APIClient, tenant: Tenant) -> None:
    created = client.post(URL, body(priority=3))
    assert created.status_code == 201, created.json()
    said = created.json()
    assert (said["name"], said["priority"], said["secrets"]) == ("main", 3, ["auth_token"])
    assert (said["health"]["state"], said["steering"], said["last_hour"]) == ("well", None, None)
    account = ProviderAccount.objects.get()
    assert (account.tenant, secret_of(said["id"])) == (tenant, SECRET)
    assert client.get(f"{URL}/{account.pk}").json() == said
    assert client.get(URL).json()["results"] == [said]
    assert client.delete(f"{URL}/{account.pk}").status_code == 204
    assert client.get(f"{URL}/{account.pk}").status_code == 404


def test_secrets_go_in_and_never_out(client: APIClient) -> None:
    answers = [client.post(URL, body())]
    path = f"{URL}/{answers[0].json()['id']}"
    answers += [client.get(URL), client.get(path), client.patch(path, {"settings": {"auth_token": "other"}})]
    answers.append(client.post(f"{path}/check"))
    assert all(SECRET.encode() not in answer.content for answer in answers)
    assert "other" not in str(answers[3].json())
    assert "auth_token" not in answers[3].json()["settings"]


def test_what_is_left_out_stays(client: APIClient) -> None:
    id = client.post(URL, body()).json()["id"]
    changed = client.patch(f"{URL}/{id}", {"weight": 7, "settings": {"sender": "+15005550001"}})
    assert changed.status_code == 200, changed.json()
    assert changed.json()["weight"] == 7
    assert changed.json()["settings"]["sender"] == "+15005550001"
    assert changed.json()["settings"]["base_url"] == "http://127.0.0.1:1"
    assert secret_of(id) == SECRET
    assert client.patch(f"{URL}/{id}", {"settings": {"auth_token": "new"}}).status_code == 200
    assert secret_of(id) == "new"


@pytest.mark.parametrize(
    ("over", "status", "pointer"),
    [
        ({"name": "two words"}, 400, "/name"),
        ({"priority": -1}, 400, "/priority"),
        ({"provider": "nobody"}, 422, "/provider"),
        ({"channel": "in_app", "provider": "feed"}, 422, "/provider"),
        ({"settings": {}}, 400, "/settings/account_sid"),
        ({"settings": {**twilio_settings("ftp://x")}}, 400, "/settings/base_url"),
        ({"secrets": {}}, 400, "/secrets"),
    ],
)
def test_it_points_at_what_is_wrong(
    client: APIClient, over: dict[str, Any], status: int, pointer: str
) -> None:
    answer = client.post(URL, body(**over))
    assert answer.status_code == status
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not ProviderAccount.objects.exists()


def test_a_name_is_given_once(client: APIClient) -> None:
    client.post(URL, body())
    answer = client.post(URL, body())
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_exists")


def test_anothers_are_not_there(client: APIClient, sandbox: RunningSandbox) -> None:
    theirs = [create_twilio(owner, sandbox) for owner in (create_tenant(), None)]
    assert client.get(URL).json()["results"] == []
    for account in theirs:
        for call in (client.get, client.patch, client.delete):
            assert call(f"{URL}/{account.pk}").status_code == 404


def test_it_checks_the_connection(client: APIClient, tenant: Tenant, sandbox: RunningSandbox) -> None:
    good = create_twilio(tenant, sandbox)
    bad = client.post(URL, body()).json()["id"]
    answer = client.post(f"{URL}/{good.pk}/check").json()
    assert (answer["is_ok"], answer["error"]) == (True, None)
    answer = client.post(f"{URL}/{bad}/check").json()
    assert (answer["is_ok"], answer["error"]["kind"]) == (False, "transient")


@pytest.mark.django_db(transaction=True)
def test_what_waited_for_it_is_tried_again_when_it_is_mended(
    client: APIClient, tenant: Tenant, sandbox: RunningSandbox
) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(account.settings["account_sid"], status=401, times=1)
    (id,) = create_deliveries(tenant, 1)
    dispatch.run(tenant.pk, [id])
    parked = Delivery.objects.get(pk=id)
    assert (parked.reason, parked.due_at > timezone.now()) == ("account_down", True)
    mended = client.patch(f"{URL}/{account.pk}", {"settings": {"auth_token": "the right one"}})
    assert mended.status_code == 200
    assert Delivery.objects.get(pk=id).due_at <= timezone.now()


def test_it_is_steered(client: APIClient, tenant: Tenant, sandbox: RunningSandbox) -> None:
    path = f"{URL}/{create_twilio(tenant, sandbox).pk}"
    said = client.post(f"{path}/steer", {"steering": "drain", "reason": "their outage"}).json()
    assert said["health"]["state"] == "drained"
    assert (said["steering"]["steering"], said["steering"]["reason"]) == ("drain", "their outage")
    assert said["steering"]["by"].startswith("ops-")
    assert client.post(f"{path}/steer", {"steering": None}).json()["steering"] is None
    assert client.post(f"{path}/steer", {"steering": "stop"}).status_code == 400


def test_it_shows_the_last_hour(client: APIClient, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    dispatch.run(tenant.pk, create_deliveries(tenant, 4))
    vitals.hand_over()
    hour = client.get(f"{URL}/{account.pk}").json()["last_hour"]
    assert (hour["calls"], hour["failed"], hour["error_rate"]) == (4, 0, 0.0)


@pytest.mark.parametrize(
    ("codename", "allowed"),
    [
        ("view", {"GET"}),
        ("add", {"POST"}),
        ("change", {"PATCH", "check", "steer"}),
        ("delete", {"DELETE"}),
    ],
)
def test_it_asks_for_the_permission(
    tenant: Tenant, sandbox: RunningSandbox, codename: str, allowed: set[str]
) -> None:
    client = operator(tenant, is_superuser=False)
    permission = Permission.objects.get(codename=f"{codename}_provideraccount")
    User.objects.get(username__startswith="ops-").user_permissions.add(permission)
    path = f"{URL}/{create_twilio(tenant, sandbox).pk}"
    answers = {
        "GET": client.get(URL),
        "POST": client.post(URL, body()),
        "PATCH": client.patch(path, {"weight": 1}),
        "check": client.post(f"{path}/check"),
        "steer": client.post(f"{path}/steer", {"steering": "pin"}),
        "DELETE": client.delete(path),
    }
    assert {name for name, answer in answers.items() if answer.status_code != 403} == allowed


def test_it_is_in_the_schema(client: APIClient) -> None:
    paths = orjson.loads(client.get("/api/schema", headers={"Accept": "application/json"}).content)["paths"]
    assert {path.removeprefix("/api/v1/admin") for path in paths if "/admin/providers" in path} == {
        *("/providers", "/providers/{id}", "/providers/{id}/check", "/providers/{id}/steer"),
    }
