"""WhatsApp by Twilio from end to end: what people write opens the window, receipts find their delivery."""

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
from delivery.tests.factories import create_account, create_delivery, create_twilio, look, twilio_settings
from preferences.suppressions import among
from sandbox.testing import DEADLINE_S, RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

OURS = "+15005550006"
WHATSAPP = "whatsapp"
SHIPPED = {"template": {"name": "HX" + "1" * 32, "parameters": ["Ann"]}}

Posted = tuple[str, bytes, str]
"""Path, body, signature."""


@pytest.fixture
def posted(settings: Settings) -> Iterator[Queue[Posted]]:
    """What Twilio posts to `PUBLIC_URL`."""
    posts: Queue[Posted] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.put((self.path, body, self.headers["X-Twilio-Signature"]))
            self.send_response(204)
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
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    return create_account(tenant, WHATSAPP, "twilio", twilio_settings(sandbox.http_url))


def hand_on(post: Posted) -> int:
    """To our webhook, as it came."""
    path, body, signature = post
    kind = "application/x-www-form-urlencoded"
    return Client().post(path, body, content_type=kind, headers={"X-Twilio-Signature": signature}).status_code


def write(sandbox: RunningSandbox, account: ProviderAccount, sender: str, text: str, to: str) -> None:
    """They write to us, by WhatsApp where the numbers say so; Twilio posts it to the account's webhook."""
    sid = account.settings["account_sid"]
    sandbox.webhook(sid, f"{settings.PUBLIC_URL}/webhooks/twilio/{account.pk}", "twilio-token")
    said = {"from": sender, "to": to, "text": text}
    requests.post(f"{sandbox.http_url}/twilio/{sid}/replies", json=said, timeout=5).raise_for_status()


def sent(tenant: Tenant, to: str, **overrides: Any) -> UUID:
    payload = {"content": {"body": "Hi"}, "overrides": {WHATSAPP: overrides}}
    id = create_delivery(tenant, (WHATSAPP, to), payload=payload)
    dispatch.run(tenant.pk, [id])
    return id


def test_it_works(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    id = sent(tenant, "+15553330001", **SHIPPED)
    assert look(id).status == "sent"
    assert [hand_on(posted.get(timeout=DEADLINE_S)) for _ in range(2)] == [204, 204]
    assert look(id).status == "delivered"
    (message,) = sandbox.messages(channel=WHATSAPP)
    assert message["data"]["template"]["variables"] == {"1": "Ann"}


def test_who_has_written_may_be_written_to_freely(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    ann = "+15553330002"
    assert look(sent(tenant, ann)).reason == "address_refused"
    assert sandbox.messages() == [], "nothing is handed over that could not arrive"
    write(sandbox, account, f"whatsapp:{ann}", "Where is my order?", f"whatsapp:{OURS}")
    assert hand_on(posted.get(timeout=DEADLINE_S)) == 204
    id = sent(tenant, ann)
    assert [hand_on(posted.get(timeout=DEADLINE_S)) for _ in range(2)] == [204, 204]
    assert look(id).status == "delivered"


def test_stop_is_heeded_on_the_channel_that_it_came_by(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, posted: Queue[Posted]
) -> None:
    ann, sms = "+15553330003", create_twilio(tenant, sandbox)
    write(sandbox, sms, ann, "STOP", OURS)
    assert hand_on(posted.get(timeout=DEADLINE_S)) == 204
    write(sandbox, account, ann, "STOP", OURS)
    assert hand_on(posted.get(timeout=DEADLINE_S)) == 403, "a text message is none of WhatsApp's account's"
    assert among(tenant.pk, [("sms", ann), ("whatsapp", ann)]) == {("sms", ann): "unsubscribed"}


def test_a_stranger_signs_nothing(account: ProviderAccount) -> None:
    assert hand_on((f"/webhooks/twilio/{account.pk}", b"MessageSid=SM1&SmsStatus=received", "forged")) == 403
