"""A wording sent to oneself, by the ordinary way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connections
from rest_framework.test import APIClient

from delivery import loop
from delivery.models import Delivery
from delivery.tests.factories import create_account, create_smtp, create_twilio
from notifications.models import FeedItem, Notification
from notifications.trials import PER_MINUTE
from preferences.suppressions import suppress
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published, create_version, operator
from tenants.context import tenant_scope
from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
URL = "/api/v1/admin/templates/greeting/test-send"
MAIL = Draft("email", "en", {"subject": "Hi {{ name }}", "html": "<p>Dear {{ name }}</p>"})
SMS = Draft("sms", "en", {"body": "Hi {{ name }}"})


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    client = operator(tenant)
    User.objects.update(email="ops@example.com")
    return client


def send(client: APIClient, **body: Any) -> Any:
    answer = client.post(URL, {"wait": 0, **body})
    assert answer.status_code == 202, answer.json()
    return answer.json()


def refusal(client: APIClient, **body: Any) -> tuple[int, str, str]:
    answer = client.post(URL, body)
    return answer.status_code, answer.json()["code"], answer.json()["errors"][0]["pointer"]


@contextmanager
def worker(drain: Drain) -> Iterator[None]:
    """Somebody who takes what waits in the broker, in another thread."""
    done = Event()

    def work() -> None:
        try:
            while not done.wait(0.05):
                drain()
        finally:
            loop.close()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        finally:
            done.set()
        working.result()


def test_it_works(tenant: Tenant, client: APIClient, sandbox: RunningSandbox, drain: Drain) -> None:
    create_smtp(tenant, sandbox, name="mailer")
    version = create_version(tenant, MAIL, SMS)
    with worker(drain):
        answer = send(client, channel="email", wait=10)

    assert (answer["status"], answer["reason"]) == ("sent", "")
    (delivery,) = answer["deliveries"]
    assert (delivery["address"], delivery["attempts"][0]["account"]) == ("o•••@example.com", "mailer")
    (message,) = sandbox.messages()
    assert (message["to"], message["subject"]) == ("ops@example.com", "[Test] Hi Ann")
    assert "Dear Ann" in message["html"]

    row = Notification.objects.get(pk=answer["id"])
    by = User.objects.get().get_username()
    assert row.metadata == {"test_send": {"by": by, "template": "greeting", "version": 1}}
    assert (row.template_version_id, Delivery.objects.get().template_version_id) == (None, None)
    stats = client.get("/api/v1/admin/stats?by=template").json()["results"]
    assert [line["key"] for line in stats] == [None]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (
        str(version.pk),
        "Sent a test by email to o•••@example.com.",
    )


def test_it_sends_what_is_asked_for(
    tenant: Tenant, client: APIClient, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    first = create_published(tenant, MAIL, Draft("email", "de", {"subject": "Hallo {{ name }}", "body": "x"}))
    create_version(tenant, MAIL, template=first.template)
    body = {"version": 1, "to": "me@example.com", "locale": "de-AT", "data": {"name": "Bo"}, "prefix": ""}
    assert send(client, channel="email", **body)["status"] == "accepted"
    drain()
    (message,) = sandbox.messages()
    assert (message["to"], message["subject"]) == ("me@example.com", "Hallo Bo")


def test_it_goes_by_any_channel(
    tenant: Tenant, client: APIClient, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    slack = {"token": "xoxb-1", "base_url": f"{sandbox.http_url}/slack/api"}
    create_account(tenant, "slack", "slack_bot", slack)
    create_version(
        tenant,
        SMS,
        Draft("in_app", "en", {"title": "Hi {{ name }}"}),
        Draft("slack", "en", {"body": "<https://a.example|{{ name }}>"}),
    )
    for channel, to in (("sms", "+1 500 555 0006"), ("in_app", "ann"), ("slack", "#ops")):
        send(client, channel=channel, to=to)
    drain()
    assert FeedItem.objects.get().title == "[Test] Hi Ann"
    by_channel = {message["channel"]: message for message in sandbox.messages()}
    assert (by_channel["sms"]["to"], by_channel["sms"]["text"]) == ("+15005550006", "Hi Ann")
    assert "<https://a.example|Ann>" in str(by_channel["slack"]["raw"])


def test_it_says_what_became_of_it(tenant: Tenant, client: APIClient, drain: Drain) -> None:
    create_version(tenant, MAIL, Draft("in_app", "en", {"title": "Hi"}))
    with tenant_scope(tenant.pk):
        suppress(tenant.pk, [("email", "gone@example.com", "bounced")])
    with worker(drain):
        gone = send(client, channel="email", to="gone@example.com", wait=10)
        nobody = send(client, channel="in_app", to="nobody", wait=10)
        failed = send(client, channel="email", wait=10)
    assert (gone["status"], gone["reason"]) == ("suppressed", "suppressed:bounced")
    assert (nobody["status"], nobody["reason"]) == ("failed", "recipient_unknown")
    assert (failed["status"], failed["deliveries"][0]["reason"]) == ("failed", "no_account")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"channel": "push", "to": "token"}, (422, "template_missing_content", "/channel")),
        ({"channel": "sms"}, (422, "address_required", "/to")),
        ({"channel": "sms", "to": "nobody"}, (400, "invalid_phone", "/to")),
        ({"channel": "email", "to": "nobody"}, (400, "invalid_email", "/to")),
        ({"channel": "email", "data": {}}, (422, "missing_variable", "/data")),
        ({"channel": "email", "prefix": "a\nb"}, (400, "validation_error", "/prefix")),
        ({"channel": "email", "version": 0}, (400, "validation_error", "/version")),
    ],
)
def test_it_refuses_what_cannot_be_sent(
    tenant: Tenant, client: APIClient, body: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    create_version(tenant, MAIL, SMS)
    assert refusal(client, **body) == expected
    assert not Notification.objects.exists()
    assert not LogEntry.objects.exists()


def test_it_lets_nobody_send_without_end(tenant: Tenant, client: APIClient) -> None:
    create_version(tenant, MAIL)
    for _ in range(PER_MINUTE):
        send(client, channel="email")
    answer = client.post(URL, {"channel": "email"})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) >= 1
    assert send(operator(tenant), channel="email", to="me@example.com")["status"] == "accepted"


def test_it_is_for_those_who_may_write_templates(tenant: Tenant) -> None:
    create_version(tenant, MAIL)
    viewer = operator(tenant, is_superuser=False)
    assert viewer.post(URL, {"channel": "email", "to": "me@example.com"}).status_code == 403
    other = "/api/v1/admin/templates/other/test-send"
    assert operator(tenant).post(other, {"channel": "email"}).status_code == 404
