"""Amazon SNS: our own provider publishes to it, so that both speak the same; it confirms and is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any
from uuid import uuid4

import pytest
import requests

from delivery import loop
from delivery.providers.base import (
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms.sns import AmazonSns
from delivery.tests.contract import PATIENCE, SILENCE
from sandbox.sns_topic import ARN
from sandbox.testing import DEADLINE_S, RunningSandbox

KEY_ID = "AKIA00000000SHOP"
ANN = "+15551234567"


def provider(sandbox: RunningSandbox, key_id: str = KEY_ID, timeout: float = PATIENCE) -> AmazonSns:
    settings: dict[str, Any] = {
        "region": "eu-central-1",
        "access_key_id": key_id,
        "secret_access_key": "a-secret",
        "sender": "Shop",
        "topics": ARN,
        "base_url": f"{sandbox.http_url}/sns",
    }
    return AmazonSns(AmazonSns.Settings(**settings), timeout=timeout)


def publish(
    sandbox: RunningSandbox,
    *to: str,
    text: str = "Your code is 123 🔑",
    key_id: str = KEY_ID,
    timeout: float = PATIENCE,
) -> list[Sent | ProviderError]:
    messages = [Message(id := uuid4(), f"{id}.1", number, Content(body=text)) for number in to or (ANN,)]
    return loop.run(provider(sandbox, key_id, timeout).send(messages))


def refusal(sandbox: RunningSandbox, *to: str, **over: Any) -> ProviderError:
    (outcome,) = publish(sandbox, *to, **over)
    assert isinstance(outcome, ProviderError)
    return outcome


class Application:
    """Verifies and reads what an account of its own is posted, as the application's webhook does."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.key_id = f"AKIA{token_hex(6).upper()}"
        self.sandbox = sandbox
        self.provider = provider(sandbox)
        self.heard: list[ParsedReceipt | Inbound] = []
        self.posts = 0
        self.news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/sns/1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self, *to: str) -> list[Sent | ProviderError]:
        return publish(self.sandbox, *to, key_id=self.key_id)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: ReceiptRequest) -> None:
        with self.news:
            self.posts += 1
        self.provider.verify(request)
        heard = self.provider.parse(request)
        with self.news:
            self.heard += heard
            self.news.notify_all()

    def wait_for(self, count: int) -> list[ParsedReceipt | Inbound]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= count, DEADLINE_S), self.posts
            return self.heard

    def _handler(application) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                application.take(ReceiptRequest("POST", application.url, headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def application(sandbox: RunningSandbox) -> Iterator[Application]:
    running = Application(sandbox)
    sandbox.webhook(running.key_id, running.url)
    yield running
    running.close()


def test_it_works(sandbox: RunningSandbox) -> None:
    (outcome,) = publish(sandbox)
    assert isinstance(outcome, Sent)
    (message,) = sandbox.messages(channel="sms", provider="sns")
    assert (message["account"], message["to"], message["from"]) == (KEY_ID, ANN, "Shop")
    assert message["text"] == "Your code is 123 🔑"
    assert message["data"]["id"] == outcome.message_id
    assert message["data"]["attributes"]["AWS.SNS.SMS.SMSType"] == "Transactional"
    assert "Signature=" not in str(message)


def test_it_answers_a_connection_test(sandbox: RunningSandbox) -> None:
    loop.run(provider(sandbox).check())


def test_it_asks_first_and_tells_then(application: Application) -> None:
    (outcome,) = application.publish()
    (receipt,) = application.wait_for(1)
    assert isinstance(outcome, Sent)
    assert isinstance(receipt, ParsedReceipt)
    assert (receipt.message_id, receipt.status) == (outcome.message_id, ReceiptStatus.DELIVERED)
    assert application.posts == 2
    application.publish()
    assert len(application.wait_for(2)) == 2
    assert application.posts == 3


def test_what_comes_before_the_confirmation_waits(sandbox: RunningSandbox, application: Application) -> None:
    sandbox.fault("sns", receipt_delay_ms=0)
    outcomes = application.publish(*[ANN] * 20)
    told = {r.message_id for r in application.wait_for(20) if isinstance(r, ParsedReceipt)}
    assert told == {outcome.message_id for outcome in outcomes if isinstance(outcome, Sent)}


def test_a_delivery_can_fail(sandbox: RunningSandbox, application: Application) -> None:
    sandbox.fault(application.key_id, receipt="failed")
    application.publish()
    (receipt,) = application.wait_for(1)
    assert isinstance(receipt, ParsedReceipt)
    assert receipt.error is not None
    assert (receipt.status, receipt.error.code) == (ReceiptStatus.FAILED, "phone_unreachable")


def test_receipts_may_come_twice(sandbox: RunningSandbox, application: Application) -> None:
    sandbox.fault("sns", duplicate_receipts=1)
    application.publish()
    first, again = application.wait_for(2)
    assert first.event_id == again.event_id


def test_somebody_replies(sandbox: RunningSandbox, application: Application) -> None:
    said = {"from": ANN, "to": "+15005550006", "text": "STOP ☕"}
    answer = requests.post(f"{sandbox.http_url}/sns/{application.key_id}/replies", json=said, timeout=5)
    assert answer.status_code == 204
    (reply,) = application.wait_for(1)
    assert isinstance(reply, Inbound)
    assert (reply.sender, reply.to, reply.text) == (ANN, "+15005550006", "STOP ☕")


def test_nobody_replies_to_nobody(sandbox: RunningSandbox) -> None:
    answer = requests.post(f"{sandbox.http_url}/sns/{KEY_ID}/replies", json={}, timeout=5)
    assert answer.status_code == 409


def test_a_token_that_is_none_confirms_nothing(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.http_url}/sns/?Action=ConfirmSubscription&Token=1"
    assert requests.get(url, timeout=5).status_code == 400


@pytest.mark.parametrize("number", ["+15005550001", "+15005550009", "5551234"])
def test_it_refuses_numbers(sandbox: RunningSandbox, number: str) -> None:
    error = refusal(sandbox, number)
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "InvalidParameter", True)
    assert sandbox.messages() == []


@pytest.mark.parametrize("text", ["", "x" * 1601])
def test_it_refuses_words(sandbox: RunningSandbox, text: str) -> None:
    error = refusal(sandbox, text=text)
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "InvalidParameter", False)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, ErrorKind.ACCOUNT, "InvalidClientTokenId"),
        (403, ErrorKind.ACCOUNT, "AuthorizationError"),
        (429, ErrorKind.RATE_LIMITED, "Throttled"),
        (500, ErrorKind.TRANSIENT, "InternalError"),
        (503, ErrorKind.TRANSIENT, "ServiceUnavailable"),
    ],
)
def test_it_fails_as_it_is_told(sandbox: RunningSandbox, status: int, kind: ErrorKind, code: str) -> None:
    sandbox.fault(KEY_ID, status=status, retry_after=3)
    error = refusal(sandbox)
    assert (error.kind, error.code, error.retry_after) == (kind, code, 3)
    assert sandbox.messages() == []


def test_it_rejects_whom_it_is_told_to(sandbox: RunningSandbox) -> None:
    sandbox.fault("sns", reject=True)
    assert refusal(sandbox).permanent


def test_it_may_keep_a_message_and_never_answer(sandbox: RunningSandbox) -> None:
    sandbox.fault("sns", accept_then_timeout=True)
    assert refusal(sandbox, timeout=SILENCE).kind is ErrorKind.UNKNOWN
    assert len(sandbox.messages()) == 1


def test_it_may_be_slow(sandbox: RunningSandbox) -> None:
    sandbox.fault("sns", latency_ms=100)
    begun = time.monotonic()
    publish(sandbox)
    assert time.monotonic() - begun >= 0.1


def test_it_wants_a_signature(sandbox: RunningSandbox) -> None:
    answer = requests.post(f"{sandbox.http_url}/sns/", data={"Action": "Publish"}, timeout=5)
    assert (answer.status_code, "<Code>MissingAuthenticationToken</Code>" in answer.text) == (403, True)


def test_it_knows_two_actions(sandbox: RunningSandbox) -> None:
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/eu-central-1/sns/aws4_request, "
    }
    answer = requests.post(
        f"{sandbox.http_url}/sns/", data={"Action": "Subscribe"}, headers=headers, timeout=5
    )
    assert (answer.status_code, "<Code>InvalidAction</Code>" in answer.text) == (400, True)
