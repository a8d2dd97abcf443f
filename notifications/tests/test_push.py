"""A notification on its way to a person's phones and browsers, and what becomes of those that are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from delivery.escalation import escalate_due
from delivery.models import Delivery, ProviderAccount
from delivery.tests.factories import create_twilio
from delivery.tests.push import create_fcm, create_webpush, subscribe
from notifications.ledger import ledger
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from notifications.tests.feeds import new_item, tell
from preferences.models import Device, Recipient, Suppression
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


TO_ALL = [{"chain": ["push", "sms"], "within": 600}]


def escalate() -> int:
    """The time that chains wait is over."""
    Delivery.objects.filter(escalate_at__isnull=False).update(escalate_at=timezone.now())
    return escalate_due(now=timezone.now())


@pytest.fixture
def bob(tenant: Tenant, service: Api, sandbox: RunningSandbox) -> Recipient:
    """He has a phone and a browser, and a number for text messages."""
    create_twilio(tenant, sandbox)
    bob = create_recipient(tenant, external_id="bob", phone="+15005550006")
    register(service, "phone", subscribe(sandbox, id="laptop"))
    return bob


def test_a_chain_rings_every_device_and_goes_on_once(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, bob: Recipient
) -> None:
    seen = push(service, drain, channels=TO_ALL)
    first, second = seen["deliveries"]
    assert (first["rings_with"], second["rings_with"]) == (first["id"], first["id"])
    assert sorted(message["provider"] for message in sandbox.messages()) == ["fcm", "webpush"]
    assert (escalate(), escalate()) == (1, 0)
    drain()
    assert sorted(message["channel"] for message in sandbox.messages()) == ["push", "push", "sms"]
    told = look(service, seen["id"])
    (step,) = [step for step in told["trace"] if step["step"] == "escalate"]
    assert (step["channel"], step["decision"], step["reason"]) == ("push", "sms", "not_seen_in_time")
    assert ledger(tenant.pk).balanced


def test_a_chain_goes_on_when_every_device_has_failed(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, bob: Recipient
) -> None:
    Device.objects.filter(token="phone").update(token="unregistered")
    Device.objects.exclude(token="unregistered").delete()
    register(service, subscribe(sandbox, id="gone"))
    told = push(service, drain, channels=[["push", "sms"]])
    assert sorted((d["channel"], d["status"]) for d in told["deliveries"]) == [
        ("push", "failed"),
        ("sms", "sent"),
    ]
    assert told["status"] == "sent"
    assert ledger(tenant.pk).balanced


def test_a_chain_is_explained_with_all_its_devices(service: Api, bob: Recipient) -> None:
    body = a_notification(recipient="bob", channels=TO_ALL)
    told = service.post(f"{NOTIFICATIONS}/explain", body).json()
    assert [d["rings_with"] for d in told["deliveries"]] == [0, 0]
    assert [[route["channel"] for route in d["routes"]] for d in told["deliveries"]] == [["push", "sms"]] * 2
    assert {d["routes"][0]["account"] for d in told["deliveries"]} == set(
        ProviderAccount.objects.filter(channel="push").values_list("name", flat=True)
    )
    (step,) = [step for step in told["decisions"] if step["decision"] == "ring_together"]
    assert (step["channel"], step["reason"]) == ("push", "all_devices")


@pytest.mark.parametrize(("token", "calls"), [("of-project-shop", 1), ("of-project-outlet", 2)])
def test_a_token_finds_its_project_among_several(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, token: str, calls: int
) -> None:
    create_recipient(tenant, external_id="bob")
    outlet = create_fcm(tenant, sandbox, "outlet", priority=20)
    register(service, token)
    (delivery,) = push(service, drain)["deliveries"]
    assert (delivery["status"], len(delivery["attempts"])) == ("sent", calls)
    assert [message["account"] for message in sandbox.messages()] == [token.removeprefix("of-project-")]
    assert devices() == {token}
    assert {account.health for account in ProviderAccount.objects.all()} == {1.0}
    assert (delivery["attempts"][-1]["account"] == outlet.name) == (calls == 2)


def test_a_token_of_nobodys_ends_without_harm(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_recipient(tenant, external_id="bob")
    create_fcm(tenant, sandbox, "outlet", priority=20)
    register(service, "another-sender")
    (delivery,) = push(service, drain)["deliveries"]
    assert (delivery["status"], delivery["reason"], len(delivery["attempts"])) == (
        "failed",
        "address_refused",
        2,
    )
    assert devices() == {"another-sender"}
    assert {account.health for account in ProviderAccount.objects.all()} == {1.0}


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
