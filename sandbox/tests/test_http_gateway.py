"""The gateway of small operators: our own provider asks it, so that both speak the same."""

from __future__ import annotations

import hashlib
import hmac
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
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms.http_gateway import HttpGateway
from delivery.tests.contract import PATIENCE, SILENCE
from sandbox.testing import DEADLINE_S, RunningSandbox

KEY = "shop-key-and-a-secret"
ACCOUNT = KEY[:8]
ANN = "+15551234567"
PARAMETERS = {"to": "{to}", "text": "{text}", "from": "{sender}", "receipts": "{receipt_url}"}


def provider(
    sandbox: RunningSandbox, receipt_url: str = "", timeout: float = PATIENCE, **over: Any
) -> HttpGateway:
    settings: dict[str, Any] = {
        "url": f"{sandbox.http_url}/gateway/messages",
        "parameters": PARAMETERS,
        "headers": {"X-Api-Key": "{secret}"},
        "secret": KEY,
        "sender": "Shop",
        "success": "status == 'accepted'",
        "message_id": "id",
        "errors": [{"matches": "code == `21`", "kind": "address", "permanent": True, "code": "bad_number"}],
        "check_url": f"{sandbox.http_url}/gateway/balance",
        "receipt_proof": "hmac_sha256",
        "receipt_fields": {"message_id": "id", "status": "status", "code": "error"},
    }
    return HttpGateway(HttpGateway.Settings(**{**settings, **over}), receipt_url=receipt_url, timeout=timeout)


def send(gateway: HttpGateway, *to: str, text: str = "Your code is 123 🔑") -> list[Sent | ProviderError]:
    messages = [Message(id := uuid4(), f"{id}.1", number, Content(body=text)) for number in to or (ANN,)]
    return loop.run(gateway.send(messages))


def refusal(sandbox: RunningSandbox, *to: str, **over: Any) -> ProviderError:
    (outcome,) = send(provider(sandbox), *to, **over)
    assert isinstance(outcome, ProviderError)
    return outcome


class Application:
    """Verifies and reads what it is posted, as the application's webhook does."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.heard: list[ParsedReceipt] = []
        self.news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/http/1"
        self.gateway = provider(sandbox, receipt_url=self.url)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: ReceiptRequest) -> None:
        self.gateway.verify(request)
        with self.news:
            self.heard += [told for told in self.gateway.parse(request) if isinstance(told, ParsedReceipt)]
            self.news.notify_all()

    def wait_for(self, count: int) -> list[ParsedReceipt]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= count, DEADLINE_S)
            return self.heard

    def _handler(application) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                url = f"http://{self.headers['Host']}{self.path}"
                application.take(ReceiptRequest("POST", url, headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def application(sandbox: RunningSandbox) -> Iterator[Application]:
    running = Application(sandbox)
    yield running
    running.close()


def test_it_works(sandbox: RunningSandbox) -> None:
    (outcome,) = send(provider(sandbox))
    assert isinstance(outcome, Sent)
    (message,) = sandbox.messages(channel="sms", provider="http")
    assert (message["account"], message["to"], message["from"]) == (ACCOUNT, ANN, "Shop")
    assert message["text"] == "Your code is 123 🔑"
    assert message["data"]["id"] == outcome.message_id
    assert KEY not in str(message)


@pytest.mark.parametrize(
    "over",
    [
        {"encoding": "form"},
        {"encoding": "query"},
        {"encoding": "query", "method": "GET"},
        {"method": "PUT"},
        {"encoding": "query", "headers": {}, "parameters": {**PARAMETERS, "key": "{secret}"}},
        {"parameters": {**PARAMETERS, "to": "{to_digits}"}},
    ],
)
def test_it_is_not_particular(sandbox: RunningSandbox, over: dict[str, Any]) -> None:
    (outcome,) = send(provider(sandbox, **over))
    assert isinstance(outcome, Sent)
    (message,) = sandbox.messages()
    assert (message["text"], message["from"]) == ("Your code is 123 🔑", "Shop")
    assert KEY not in str(message["data"])


def test_it_answers_a_connection_test(sandbox: RunningSandbox) -> None:
    loop.run(provider(sandbox).check())


def test_it_tells_what_became_of_a_message(application: Application) -> None:
    (outcome,) = send(application.gateway)
    (receipt,) = application.wait_for(1)
    assert isinstance(outcome, Sent)
    assert (receipt.message_id, receipt.status) == (outcome.message_id, ReceiptStatus.DELIVERED)
    assert receipt.reference.endswith(".1")


def test_a_delivery_can_fail(sandbox: RunningSandbox, application: Application) -> None:
    sandbox.fault(ACCOUNT, receipt="failed")
    send(application.gateway)
    (receipt,) = application.wait_for(1)
    assert receipt.error is not None
    assert (receipt.status, receipt.error.code) == (ReceiptStatus.FAILED, "30")


def test_receipts_may_come_twice(sandbox: RunningSandbox, application: Application) -> None:
    sandbox.fault("http", duplicate_receipts=1)
    send(application.gateway)
    first, again = application.wait_for(2)
    assert first.event_id == again.event_id


@pytest.mark.parametrize("number", ["+15005550001", "+15005550009", "555"])
def test_it_refuses_numbers(sandbox: RunningSandbox, number: str) -> None:
    error = refusal(sandbox, number)
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "bad_number", True)
    assert sandbox.messages() == []


def test_it_refuses_no_text(sandbox: RunningSandbox) -> None:
    error = refusal(sandbox, text="")
    assert (error.kind, error.code) == (ErrorKind.ADDRESS, "400")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ErrorKind.ACCOUNT),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.TRANSIENT),
        (503, ErrorKind.TRANSIENT),
    ],
)
def test_it_fails_as_it_is_told(sandbox: RunningSandbox, status: int, kind: ErrorKind) -> None:
    sandbox.fault(ACCOUNT, status=status, retry_after=3)
    error = refusal(sandbox)
    assert (error.kind, error.code, error.retry_after) == (kind, str(status), 3)
    assert sandbox.messages() == []


def test_it_rejects_whom_it_is_told_to(sandbox: RunningSandbox) -> None:
    sandbox.fault("http", reject=True)
    assert refusal(sandbox).permanent


def test_it_may_keep_a_message_and_never_answer(sandbox: RunningSandbox) -> None:
    sandbox.fault("http", accept_then_timeout=True)
    (outcome,) = send(provider(sandbox, timeout=SILENCE))
    assert isinstance(outcome, ProviderError)
    assert outcome.kind is ErrorKind.UNKNOWN
    assert len(sandbox.messages()) == 1


def test_it_may_be_slow(sandbox: RunningSandbox) -> None:
    sandbox.fault("http", latency_ms=100)
    begun = time.monotonic()
    send(provider(sandbox))
    assert time.monotonic() - begun >= 0.1


def test_it_wants_a_key(sandbox: RunningSandbox) -> None:
    answer = requests.post(f"{sandbox.http_url}/gateway/messages", json={"to": ANN, "text": "Hi"}, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, 1)


def test_its_signature_is_of_the_key(application: Application) -> None:
    body = b'{"id": "1", "status": "delivered"}'
    forged = hmac.new(token_hex(8).encode(), body, hashlib.sha256).hexdigest()
    with pytest.raises(Exception, match="does not hold"):
        application.take(ReceiptRequest("POST", application.url, {"x-signature": forged}, body))
