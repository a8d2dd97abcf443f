"""Looking at notifications, listing them, canceling them, and asking what would happen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from delivery.models import Delivery
from delivery.tests.factories import create_smtp, create_twilio
from notifications.models import Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification, a_template, look, send
from preferences.models import Preference, Recipient
from preferences.suppressions import suppress
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    create_smtp(tenant, sandbox)
    id = send(service, reference="A-17")["id"]
    drain()
    seen = look(service, id)
    (delivery,) = seen["deliveries"]
    (attempt,) = delivery["attempts"]
    assert (seen["status"], delivery["status"], attempt["outcome"]) == ("sent", "sent", "sent")
    assert delivery["address"] == "a•••@example.com"
    assert [step["step"] for step in seen["trace"]] == ["accept", "plan", "route", "attempt"]
    assert all(step["reason"] for step in seen["trace"][1:])


def test_it_hides_another_tenants(service: Api) -> None:
    id = send(service)["id"]
    other = api(create_api_key(create_tenant()))
    for answer in (other.get(f"{NOTIFICATIONS}/{id}"), other.delete(f"{NOTIFICATIONS}/{id}")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_never_shows_an_address_whole(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    id = send(service, channels=["sms"])["id"]
    drain()
    assert "+15005550006" not in service.get(f"{NOTIFICATIONS}/{id}").content.decode()


def test_it_lists(service: Api) -> None:
    ids = [send(service, reference=f"r{number}")["id"] for number in range(3)]
    first = service.get(f"{NOTIFICATIONS}?limit=2").json()
    assert [row["id"] for row in first["results"]] == [ids[2], ids[1]]
    rest = service.get(first["next"]).json()
    assert [row["id"] for row in rest["results"]] == [ids[0]]


def test_it_filters(tenant: Tenant, service: Api) -> None:
    wanted = send(service, reference="A", category="marketing")["id"]
    send(service, recipient={"id": "bob", "email": "bob@example.com"}, delay=60)
    soon = (timezone.now() + dt.timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    for query in (
        "reference=A",
        "category=marketing",
        "recipient=ann",
        "status=accepted",
        f"to={soon}&category=marketing",
    ):
        assert [row["id"] for row in service.get(f"{NOTIFICATIONS}?{query}").json()["results"]] == [wanted], (
            query
        )
    assert service.get(f"{NOTIFICATIONS}?from={soon}").json()["results"] == []


@pytest.mark.parametrize(
    "query", ["status=lost", "batch=1", "from=yesterday", "limit=0", "limit=101", "cursor=x"]
)
def test_it_refuses_a_filter_that_makes_no_sense(service: Api, query: str) -> None:
    answer = service.get(f"{NOTIFICATIONS}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_it_cancels_what_is_scheduled(service: Api, drain: Drain, sandbox: RunningSandbox) -> None:
    id = send(service, delay=60)["id"]
    assert service.delete(f"{NOTIFICATIONS}/{id}").status_code == 204
    Notification.objects.update(send_at=timezone.now())
    drain()
    assert look(service, id)["status"] == "canceled"
    assert sandbox.messages() == []


def test_it_cancels_what_waits_for_a_retry(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(account.settings["account_sid"], status=503)
    id = send(service, channels=["sms"])["id"]
    drain()
    assert look(service, id)["deliveries"][0]["reason"] == "retrying"
    assert service.delete(f"{NOTIFICATIONS}/{id}").status_code == 204
    assert look(service, id)["status"] == "canceled"


def test_it_does_not_cancel_what_has_left(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    id = send(service)["id"]
    drain()
    answer = service.delete(f"{NOTIFICATIONS}/{id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "already_sent")


def test_it_explains(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    a_template(tenant)
    create_twilio(tenant, sandbox, name="main")
    ann = Recipient.objects.get(tenant=tenant)
    Preference.objects.create(tenant=tenant, recipient=ann, level="channel", channel="email", enabled=False)
    body = {
        "recipient": "ann",
        "template": "greeting",
        "data": {"name": "Ann"},
        "channels": ["email", ["sms", "email"]],
    }
    answer = service.post(f"{NOTIFICATIONS}/explain", body)
    assert answer.status_code == 200, answer.json()
    told = answer.json()
    assert [(d.get("channel"), d["decision"], d["reason"]) for d in told["decisions"]] == [
        (None, "version 1", "published"),
        ("email", "skip", "channel_off"),
        ("sms", "deliver", "allowed"),
        ("email", "skip", "channel_off"),
    ]
    (route,) = told["deliveries"][0]["routes"]
    assert (route["account"], route["content"]["body"]) == ("main", "Hello Ann")
    assert not Notification.objects.exists()
    assert not Delivery.objects.exists()
    assert drain() == []
    assert sandbox.messages() == []


@pytest.mark.parametrize(
    ("overrides", "body", "segments", "error"),
    [
        ({}, "“Hi”", ("ucs2", 1, 4, 10), None),
        ({"transliterate": True}, '"Hi"', ("gsm7", 1, 4, 10), None),
        ({"max_segments": 1}, "x" * 161, ("gsm7", 2, 161, 1), "too_long"),
    ],
)
def test_it_explains_how_many_parts_a_text_message_has(
    service: Api,
    overrides: dict[str, Any],
    body: str,
    segments: tuple[str, int, int, int],
    error: str | None,
) -> None:
    said = "x" * 161 if error else "“Hi”"
    wanted = a_notification(channels=["sms"], content={"body": said}, overrides={"sms": overrides})
    answer = service.post(f"{NOTIFICATIONS}/explain", wanted).json()
    (route,) = answer["deliveries"][0]["routes"]
    assert tuple(route["segments"].values()) == segments
    assert (route["content"]["body"] if error is None else None) == (body if error is None else None)
    assert (route["error"] and route["error"]["code"]) == error


def test_it_explains_what_send_would_refuse(service: Api) -> None:
    answer = service.post(f"{NOTIFICATIONS}/explain", a_notification(channels=["fax"]))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_channel")


def test_it_stores_no_recipient_when_it_explains(tenant: Tenant, service: Api) -> None:
    answer = service.post(
        f"{NOTIFICATIONS}/explain", a_notification(recipient={"id": "new", "email": "n@example.com"})
    )
    assert answer.json()["plan"]["status"] == "processing"
    assert not Recipient.objects.filter(external_id="new").exists()


@pytest.mark.parametrize(
    ("over", "status", "reason"),
    [
        ({"recipient": "nobody"}, "failed", "recipient_unknown"),
        ({"channels": ["push"]}, "failed", "no_address"),
        ({"channels": ["slack", "push"]}, "failed", "no_address"),
    ],
)
def test_nobody_is_dropped_in_silence(
    service: Api, drain: Drain, over: dict[str, Any], status: str, reason: str
) -> None:
    id = send(service, **over)["id"]
    drain()
    seen = look(service, id)
    assert (seen["status"], seen["reason"]) == (status, reason)
    assert seen["trace"][-1]["reason"] == reason


def test_a_suppressed_address_is_named(tenant: Tenant, service: Api, drain: Drain) -> None:
    suppress(tenant.pk, [("email", "ann@example.com", "bounced")])
    id = send(service)["id"]
    drain()
    assert (look(service, id)["status"], look(service, id)["reason"]) == ("suppressed", "suppressed:bounced")


def test_what_expired_is_never_sent(service: Api, drain: Drain, sandbox: RunningSandbox) -> None:
    id = send(service, expires_in=60)["id"]
    Notification.objects.update(expires_at=timezone.now())
    drain()
    assert look(service, id)["status"] == "expired"
    assert sandbox.messages() == []
