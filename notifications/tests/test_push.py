"""A notification on its way to a person's phones and browsers, and what becomes of those that are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from delivery.models import ProviderAccount
from delivery.tests.push import create_fcm, create_webpush, subscribe
from notifications.tests.calls import look, send
from notifications.tests.feeds import new_item, tell
from preferences.models import Device, Suppression
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _accounts(tenant: Tenant, sandbox: RunningSandbox, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    create_fcm(tenant, sandbox)
    create_webpush(tenant)


def register(service: Api, *tokens: str) -> None:
    """As an app does it: by the API."""
    for token in tokens:
        answer = service.post("/api/v1/services/recipients/bob/devices", {"token": token})
        assert answer.status_code == 201, answer.json()


def devices() -> set[str]:
    return set(Device.objects.values_list("token", flat=True))


def compact(subscription: str) -> str:
    told = json.loads(subscription)
    keys = {name: told["keys"][name] for name in ("auth", "p256dh")}
    return json.dumps({"endpoint": told["endpoint"], "keys": keys}, separators=(",", ":"))


def push(service: Api, drain: Drain, **over: Any) -> Any:
    id = send(service, **{"recipient": "bob", "channels": ["push"], **over})["id"]
    drain()
    return look(service, id)


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    bob = create_recipient(tenant, external_id="bob")
    register(service, "phone", subscribe(sandbox, id="laptop"))
    tell(bob, new_item(bob), new_item(bob))
    seen = push(service, drain, overrides={"push": {"data": {"screen": "order"}}})
    assert [d["status"] for d in seen["deliveries"]] == ["sent", "sent"]
    by_provider = {message["provider"]: message for message in sandbox.messages()}
    phone, laptop = by_provider["fcm"], by_provider["webpush"]
    assert phone["to"] == "phone"
    assert (phone["title"], phone["text"]) == (laptop["title"], laptop["text"])
    assert phone["data"]["data"] == {"notification_id": seen["id"], "screen": "order"}
    assert phone["data"]["apns"]["payload"]["aps"]["badge"] == 2
    assert laptop["data"]["app_badge"] == 2


def test_a_device_that_is_gone_is_forgotten_and_the_others_stay(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_recipient(tenant, external_id="bob")
    here = subscribe(sandbox, id="laptop")
    register(service, "unregistered", "malformed", "phone", subscribe(sandbox, id="gone"), here)
    seen = push(service, drain)
    assert sorted(d["status"] for d in seen["deliveries"]) == ["failed"] * 3 + ["sent"] * 2
    assert devices() == {"phone", compact(here)}
    assert not Suppression.objects.exists()
    assert len(push(service, drain)["deliveries"]) == 2


@pytest.mark.parametrize(
    ("token", "state"),
    [("another-sender", ("failed", "address_refused")), ("no-apns-key", ("queued", "account_down"))],
)
def test_a_device_that_another_account_or_key_could_reach_stays(
    tenant: Tenant, service: Api, drain: Drain, token: str, state: tuple[str, str]
) -> None:
    create_recipient(tenant, external_id="bob")
    register(service, token)
    (delivery,) = push(service, drain)["deliveries"]
    assert (delivery["status"], delivery["reason"]) == state
    assert devices() == {token}


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": 1}, {"status": 403}])
def test_what_passes_costs_nobody_a_device(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, fault: dict[str, int]
) -> None:
    create_recipient(tenant, external_id="bob")
    register(service, "phone", subscribe(sandbox, id="laptop"))
    for provider in ("fcm", "webpush"):
        sandbox.fault(provider, **fault)
    push(service, drain)
    assert len(devices()) == 2


def test_a_browser_that_answers_ill_says_nothing_of_the_account(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_recipient(tenant, external_id="bob")
    register(service, subscribe(sandbox, id="laptop"))
    sandbox.fault("webpush", status=403)
    push(service, drain)
    assert ProviderAccount.objects.get(provider="webpush").health == 1.0
