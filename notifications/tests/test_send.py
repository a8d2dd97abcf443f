"""POST /services/notifications/send: what is taken, and how everything else is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from notifications.models import Intake, Notification
from notifications.tests.calls import CONTENT, NOTIFICATIONS, a_notification, a_template, send
from preferences.models import Recipient
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

SEND = f"{NOTIFICATIONS}/send"


def test_it_works(tenant: Tenant, service: Api) -> None:
    answer = send(service, reference="order-A-17", metadata={"cart": 9})
    assert set(answer) == {"id", "status", "reference", "created_at", "send_at"}
    assert answer["status"] == "accepted"
    stored = Notification.objects.get(pk=answer["id"])
    assert (stored.tenant_id, stored.reference, stored.metadata) == (tenant.pk, "order-A-17", {"cart": 9})
    assert Intake.objects.get().accepted == 1


def test_it_takes_the_example_of_the_contract(tenant: Tenant, service: Api) -> None:
    a_template(tenant, "order-shipped")
    body = {
        "recipient": "user-123",
        "template": "order-shipped",
        "template_version": None,
        "data": {"name": "Ann", "order": "A-17"},
        "channels": ["email"],
        "category": "transactional",
        "type": "info",
        "priority": "high",
        "action": {"url": "https://shop.example/orders/A-17", "text": "View order"},
        "send_at": None,
        "delay": None,
        "expires_at": None,
        "expires_in": 604800,
        "reference": "order-A-17",
        "metadata": {"cart": 9},
        "overrides": {"email": {"reply_to": ["help@shop.example"]}},
    }
    answer = service.post(SEND, body)
    assert answer.status_code == 202, answer.json()


def test_it_pins_the_published_version(tenant: Tenant, service: Api) -> None:
    version = a_template(tenant, "greeting")
    sent = service.post(
        SEND, {"recipient": "ann", "template": "greeting", "data": {"name": "Ann"}, "channels": ["email"]}
    )
    assert sent.status_code == 202, sent.json()
    assert Notification.objects.get(pk=sent.json()["id"]).template_version_id == version.pk


@pytest.mark.parametrize("timing", ["send_at", "delay"])
def test_it_schedules(service: Api, timing: str) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    answer = send(service, **{timing: later.isoformat() if timing == "send_at" else 3600})
    assert answer["status"] == "scheduled"
    planned = dt.datetime.fromisoformat(answer["send_at"])
    assert abs(planned - later) < dt.timedelta(seconds=30)


def test_it_sends_now_what_is_due_in_the_past(service: Api) -> None:
    answer = send(service, send_at="2020-01-01T00:00:00Z")
    assert (answer["status"], answer["send_at"]) == ("accepted", None)


def test_it_stores_a_recipient_that_came_with_an_id(tenant: Tenant, service: Api) -> None:
    send(service, recipient={"id": "bob", "phone": "(500) 555-0006", "locale": "de"})
    assert Recipient.objects.get(tenant=tenant, external_id="bob").phone == "+15005550006"


def test_it_uses_a_recipient_without_id_once(tenant: Tenant, service: Api) -> None:
    answer = send(service, recipient={"email": "once@example.com"})
    assert Recipient.objects.filter(tenant=tenant).count() == 1
    assert Notification.objects.get(pk=answer["id"]).recipient_once == {
        "type": "user",
        "email": "once@example.com",
    }


BAD: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("unknown field", {"colour": "red"}, 400, "validation_error", "/colour"),
    ("wrong type", {"priority": 3}, 400, "validation_error", "/priority"),
    ("wrong type within", {"channels": [1]}, 400, "validation_error", "/channels/0"),
    ("unknown channel", {"channels": ["pigeon"]}, 422, "unknown_channel", "/channels/0"),
    (
        "unknown channel in a chain",
        {"channels": ["sms", ["email", "fax"]]},
        422,
        "unknown_channel",
        "/channels/1/1",
    ),
    ("no channel at all", {"channels": None}, 422, "no_channels", "/channels"),
    ("empty channels", {"channels": []}, 400, "validation_error", "/channels"),
    ("both kinds of content", {"template": "greeting"}, 400, "validation_error", ""),
    ("neither kind of content", {"content": None}, 400, "validation_error", ""),
    ("empty content", {"content": {"subject": "x"}}, 400, "validation_error", "/content"),
    ("unknown template", {"content": None, "template": "nope"}, 422, "template_not_found", "/template"),
    (
        "unknown version",
        {"content": None, "template": "greeting", "template_version": 9},
        422,
        "template_not_found",
        "/template",
    ),
    ("version without template", {"template_version": 1}, 400, "validation_error", ""),
    ("missing variable", {"content": None, "template": "greeting"}, 422, "missing_variable", "/data/name"),
    (
        "channel without content",
        {"content": None, "template": "greeting", "data": {"name": "A"}, "channels": ["discord"]},
        422,
        "channel_without_content",
        "/channels/0",
    ),
    ("unknown category", {"category": "gossip"}, 422, "unknown_category", "/category"),
    ("phone that is none", {"recipient": {"phone": "12"}}, 400, "invalid_phone", "/recipient/phone"),
    ("email that is none", {"recipient": {"email": "nobody"}}, 400, "validation_error", "/recipient/email"),
    (
        "unknown zone",
        {"recipient": {"id": "x", "timezone": "Mars/Base"}},
        400,
        "validation_error",
        "/recipient/timezone",
    ),
    ("NUL byte", {"reference": "a\x00b"}, 400, "validation_error", "/reference"),
    (
        "NUL deep down",
        {"content": {"body": "a", "html": "<p>\x00"}},
        400,
        "validation_error",
        "/content/html",
    ),
    ("control character", {"metadata": {"a": ["\x1b[31m"]}}, 400, "validation_error", "/metadata/a/0"),
    ("both times", {"send_at": "2030-01-01T00:00:00Z", "delay": 5}, 400, "validation_error", ""),
    ("naive time", {"send_at": "2030-01-01T00:00:00"}, 400, "validation_error", "/send_at"),
    ("too far ahead", {"delay": 367 * 86400}, 422, "too_far_ahead", "/delay"),
    ("negative delay", {"delay": -1}, 400, "validation_error", "/delay"),
    ("expired already", {"expires_at": "2020-01-01T00:00:00Z"}, 422, "already_expired", "/expires_at"),
    (
        "expires before it is sent",
        {"delay": 3600, "expires_at": "2026-11-21T00:00:00Z"},
        422,
        "already_expired",
        "/expires_at",
    ),
    (
        "action with a script",
        {"action": {"url": "javascript:alert(1)", "text": "x"}},
        400,
        "validation_error",
        "/action/url",
    ),
    ("number too large for a time", {"delay": 10**18}, 400, "validation_error", "/delay"),
]


@pytest.mark.parametrize(
    ("over", "status", "code", "pointer"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_it_refuses(
    tenant: Tenant, service: Api, over: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    a_template(tenant, "greeting")
    body = {key: value for key, value in a_notification(**over).items() if value is not None}
    answer = service.post(SEND, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert answer["Content-Type"] == "application/problem+json"
    assert not Notification.objects.exists()
    assert not Intake.objects.exists()
    assert Recipient.objects.filter(tenant=tenant).count() == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "not_json"),
        (b'"text"', "application/json", 400, "validation_error"),
        (b"[]", "application/json", 400, "validation_error"),
        (b'{"recipient": "\xff"}', "application/json", 400, "not_json"),
        (b'{"recipient": "\\ud800"}', "application/json", 400, "not_json"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b" " * (10 * 1024 * 1024 + 1), "application/json", 413, "body_too_large"),
    ],
)
def test_it_refuses_what_is_no_document(
    service: Api, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = service.post(SEND, body, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Notification.objects.exists()


def test_it_names_every_error_at_once(service: Api) -> None:
    answer = service.post(SEND, a_notification(channels=["fax", "email"], category="gossip", delay=10**9))
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/channels/0", "/category", "/delay"}


def test_it_needs_a_key(tenant: Tenant) -> None:
    assert api("ck_live_nothing").post(SEND, a_notification()).status_code == 401


def test_it_needs_the_scope(tenant: Tenant) -> None:
    reader = api(create_api_key(tenant, scopes=["notifications:read"]))
    answer = reader.post(SEND, a_notification())
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_it_marks_what_a_test_key_sends(tenant: Tenant) -> None:
    tester = api(create_api_key(tenant, mode="test"))
    assert Notification.objects.get(pk=send(tester)["id"]).is_test


def test_it_knows_only_the_tenants_own_templates(tenant: Tenant, service: Api) -> None:
    a_template(create_tenant(), "theirs")
    answer = service.post(
        SEND, {"recipient": "ann", "template": "theirs", "data": {"name": "x"}, "channels": ["email"]}
    )
    assert answer.json()["code"] == "template_not_found"


def test_it_takes_the_tenants_channels_when_nobody_names_any(tenant: Tenant, service: Api) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(default_channels=["in_app", ["sms", "email"]])
    answer = service.post(SEND, {"recipient": "ann", "content": CONTENT})
    assert Notification.objects.get(pk=answer.json()["id"]).channels == ["in_app", ["sms", "email"]]
