"""`POST /webhooks/sns/…` and `…/amazon_ses/…`: what a topic of Amazon's posts, handed on."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from django.test import Client

from config.embedded.valkey import free_port
from delivery import dispatch
from delivery.models import ProviderAccount
from delivery.providers import sns_topic
from delivery.tests.factories import EMAIL, create_account, create_delivery, look
from sandbox.sns_topic import ARN
from sandbox.testing import DEADLINE_S, RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

KEY_ID = "AKIA0000RECEIPTS"


@pytest.fixture
def posted(sandbox: RunningSandbox) -> Iterator[Queue[bytes]]:
    """The bodies that the account's subscriber is posted."""
    bodies: Queue[bytes] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    sandbox.webhook(KEY_ID, f"http://127.0.0.1:{server.server_port}/")
    yield bodies
    server.shutdown()
    server.server_close()


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    settings = {
        "region": "eu-central-1",
        "access_key_id": KEY_ID,
        "secret_access_key": "a-secret",
        "topics": ARN,
        "base_url": f"{sandbox.http_url}/sns",
    }
    return create_account(tenant, "sms", "sns", settings)


def hand_on(account: ProviderAccount, body: bytes) -> Any:
    url = f"/webhooks/{account.provider}/{account.pk}"
    return Client().post(url, body, content_type="text/plain; charset=UTF-8")


def test_it_works(tenant: Tenant, account: ProviderAccount, posted: Queue[bytes]) -> None:
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
    assert hand_on(account, posted.get(timeout=DEADLINE_S)).status_code == 204  # it asks first
    assert hand_on(account, posted.get(timeout=DEADLINE_S)).status_code == 204
    assert look(id).status == "delivered"


def test_what_became_of_a_mail_comes_the_same_way(
    tenant: Tenant, sandbox: RunningSandbox, posted: Queue[bytes]
) -> None:
    settings = {
        "region": "eu-central-1",
        "access_key_id": KEY_ID,
        "secret_access_key": "a-secret",
        "sender": "Shop <hello@shop.example>",
        "topics": ARN,
        "base_url": f"{sandbox.http_url}/ses",
    }
    account = create_account(tenant, "email", "amazon_ses", settings)
    id = create_delivery(tenant, EMAIL)
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
    assert hand_on(account, posted.get(timeout=DEADLINE_S)).status_code == 204
    told = posted.get(timeout=DEADLINE_S)
    assert hand_on(account, told.replace(b"Delivery", b"Bounce")).status_code == 403
    assert look(id).status == "sent"
    assert hand_on(account, told).status_code == 204
    assert look(id).status == "delivered"


def test_what_cannot_be_verified_now_is_asked_for_again(
    tenant: Tenant, account: ProviderAccount, posted: Queue[bytes], sandbox: RunningSandbox
) -> None:
    dispatch.run(tenant.pk, [create_delivery(tenant)])
    body = posted.get(timeout=DEADLINE_S)
    away = f"http://127.0.0.1:{free_port()}/sns"
    account.settings["base_url"] = away
    account.save()
    sns_topic._certificate.cache_clear()
    answer = hand_on(account, body.replace(f"{sandbox.http_url}/sns".encode(), away.encode()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")


def test_another_topic_is_refused(tenant: Tenant, account: ProviderAccount, posted: Queue[bytes]) -> None:
    dispatch.run(tenant.pk, [create_delivery(tenant)])
    body = posted.get(timeout=DEADLINE_S)
    account.settings["topics"] = f"{ARN}-2"
    account.save()
    assert hand_on(account, body).status_code == 403
