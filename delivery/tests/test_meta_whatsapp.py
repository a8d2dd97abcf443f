"""WhatsApp by Meta from end to end: the webhook's challenge, the window that a reply opens, receipts."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import requests
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from delivery import dispatch
from delivery.models import ProviderAccount
from delivery.tests.factories import attempts, create_account, create_delivery, look
from preferences.models import Suppression
from preferences.suppressions import among
from sandbox.testing import DEADLINE_S, RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

NUMBER_ID = "106540352242922"
SHIPPED = {"template": {"name": "order_shipped", "language": "de", "parameters": ["Ann"]}}
WHATSAPP = "whatsapp"

Posted = tuple[bytes, str]
"""Body, signature."""


@pytest.fixture
def posted(settings: Settings) -> Iterator[Queue[Posted]]:
    """What Meta posts to `PUBLIC_URL`."""
    posts: Queue[Posted] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.put((body, self.headers["X-Hub-Signature-256"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings.PUBLIC_URL = f"http://127.0.0.1:{server.server_port}"
    yield posts
    server.shutdown()
    server.server_close()


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox, posted: Queue[Posted]) -> ProviderAccount:
    return create_number(tenant, sandbox, NUMBER_ID)


def create_number(
    tenant: Tenant, sandbox: RunningSandbox, phone_number_id: str, **over: Any
) -> ProviderAccount:
    held = {
        "phone_number_id": phone_number_id,
        "access_token": "a-token",
        "app_secret": "the app's",
        "verify_token": "vibecoding",
        "base_url": f"{sandbox.http_url}/meta",
    }
    account = create_account(tenant, WHATSAPP, "meta", held, **over)
    sandbox.webhook(phone_number_id, f"{settings.PUBLIC_URL}{path(account)}", "the app's")
    return account


def path(account: ProviderAccount) -> str:
    return f"/webhooks/meta/{account.pk}"


def hand_on(account: ProviderAccount, post: Posted) -> int:
    """To our webhook, as it came."""
    body, signature = post
    headers = {"X-Hub-Signature-256": signature}
    return Client().post(path(account), body, content_type="application/json", headers=headers).status_code


def hand_on_all(account: ProviderAccount, posted: Queue[Posted], number: int) -> None:
    for _ in range(number):
        assert hand_on(account, posted.get(timeout=DEADLINE_S)) == 200, "Meta takes nothing else for a yes"


def write(sandbox: RunningSandbox, sender: str, text: str) -> None:
    url = f"{sandbox.http_url}/meta/{NUMBER_ID}/replies"
    requests.post(url, json={"from": sender, "text": text}, timeout=5).raise_for_status()


def sent(tenant: Tenant, to: str, **overrides: Any) -> UUID:
    payload = {"content": {"body": "Hi"}, "overrides": {WHATSAPP: overrides}}
    id = create_delivery(tenant, (WHATSAPP, to), payload=payload)
    dispatch.run(tenant.pk, [id])
    return id


def test_it_works(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    id = sent(tenant, "+15554440001", **SHIPPED)
    assert look(id).status == "sent"
    hand_on_all(account, posted, 2)
    assert look(id).status == "delivered"
    (message,) = sandbox.messages(channel=WHATSAPP)
    assert message["text"] == "order_shipped (de)\n1: Ann"


def test_who_has_written_may_be_written_to_freely(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    ann = "+15554440002"
    assert look(sent(tenant, ann)).reason == "address_refused"
    assert sandbox.messages() == [], "nothing is handed over that could not arrive"
    write(sandbox, ann, "Where is my order?")
    hand_on_all(account, posted, 1)
    id = sent(tenant, ann)
    hand_on_all(account, posted, 2)
    assert look(id).status == "delivered"


def test_who_has_no_whatsapp_gets_it_by_the_next_route(
    tenant: Tenant, account: ProviderAccount, posted: Queue[Posted]
) -> None:
    routes = [(WHATSAPP, "+15005550009"), ("email", "ann@example.com")]
    id = create_delivery(
        tenant, *routes, payload={"content": {"body": "Hi"}, "overrides": {WHATSAPP: SHIPPED}}
    )
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
    hand_on_all(account, posted, 1)
    assert (look(id).status, look(id).channel) == ("queued", "email")
    assert not Suppression.objects.exists(), "131026 may be mended by an update of their app"


def test_stop_is_heeded(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    write(sandbox, "+15554440003", "STOP")
    hand_on_all(account, posted, 1)
    theirs = (WHATSAPP, "+15554440003")
    assert among(tenant.pk, [theirs]) == {theirs: "unsubscribed"}


def test_a_template_that_one_number_lacks_goes_by_another(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox
) -> None:
    other = create_number(tenant, sandbox, "2", priority=account.priority + 1)
    sandbox.fault(NUMBER_ID, status=404)
    id = sent(tenant, "+15554440004", **SHIPPED)
    dispatch.run(tenant.pk, [id])
    assert [(each.account_id, each.code) for each in attempts(id)] == [
        (account.pk, "132001"),
        (other.pk, ""),
    ]
    assert ProviderAccount.objects.get(pk=account.pk).health == 1.0


def test_it_answers_metas_challenge(account: ProviderAccount) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "vibecoding"}
    answer = Client().get(path(account), query)
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert Client().get(path(account), {**query, "hub.verify_token": "another"}).status_code == 403


def test_what_is_told_of_another_number_is_taken_and_passed_over(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    """One app signs for all of its numbers."""
    other = create_number(tenant, sandbox, "2")
    write(sandbox, "+15554440005", "STOP")
    hand_on_all(other, posted, 1)
    assert not Suppression.objects.exists()


def test_a_stranger_signs_nothing(account: ProviderAccount) -> None:
    assert hand_on(account, (b"{}", "sha256=forged")) == 403
