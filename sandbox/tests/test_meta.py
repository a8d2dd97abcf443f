"""Meta's Cloud API: our own provider sends by it and reads what it posts, so that both speak the same."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

import pytest
import requests

from delivery import loop
from delivery.providers.base import (
    Button,
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.whatsapp.meta import MetaWhatsApp
from delivery.tests.contract import PATIENCE, SILENCE
from sandbox.testing import DEADLINE_S, RunningSandbox
from sandbox.windows import WINDOW

SECRET, VERIFY_TOKEN = "the app's", "vibecoding"
SHIPPED = {"template": {"name": "order_shipped", "language": "de", "parameters": ["Ann", "A-17"]}}
PICTURE = {"media": {"type": "image", "url": "https://shop.example/shoe.jpg"}}
_numbers = count(1)


def meta(sandbox: RunningSandbox, number: str = "1", timeout: float = PATIENCE) -> MetaWhatsApp:
    settings: dict[str, Any] = {
        "phone_number_id": number,
        "access_token": "a-token",
        "app_secret": SECRET,
        "verify_token": VERIFY_TOKEN,
        "base_url": f"{sandbox.http_url}/meta",
    }
    return MetaWhatsApp(MetaWhatsApp.Settings(**settings), timeout=timeout)


def message(to: str = "+15551234567", *, body: str = "Hi", **over: Any) -> Message:
    """One that our side would let go: it believes that the window is open."""
    id, soon = uuid4(), dt.datetime.now(dt.UTC) + WINDOW
    return Message(id, f"{id}.1", to, Content(body=body), **{"window_until": soon, **over})


def outcome(provider: MetaWhatsApp, said: Message) -> Sent | ProviderError:
    (found,) = loop.run(provider.send([said]))
    return found


def refusal(provider: MetaWhatsApp, said: Message) -> ProviderError:
    found = outcome(provider, said)
    assert isinstance(found, ProviderError)
    return found


class Application:
    """A number's webhook: it answers the challenge, verifies and reads what is posted."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.number = f"{uuid4().int % 10**15}"
        self.sandbox = sandbox
        self.provider = meta(sandbox, self.number)
        self.heard: list[ParsedReceipt | Inbound] = []
        self.news = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/meta/1?tenant=demo%20one"

    def subscribe(self, verify_token: str = VERIFY_TOKEN, secret: str = SECRET) -> None:
        self.sandbox.webhook(self.number, self.url, secret, verify_token)

    def hears(self, number: int) -> list[ParsedReceipt | Inbound]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= number, DEADLINE_S), self.heard
        return self.heard

    def writes(self, sender: str, text: str) -> requests.Response:
        url = f"{self.sandbox.http_url}/meta/{self.number}/replies"
        return requests.post(url, json={"from": sender, "text": text}, timeout=5)

    def _handler(app) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = ReceiptRequest("GET", f"http://{self.headers['Host']}{self.path}", {}, b"")
                try:
                    self._answer(200, app.provider.challenge(asked).encode())
                except ReceiptRefused:
                    self._answer(403)

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                request = ReceiptRequest("POST", self.path, headers, body)
                app.provider.verify(request)
                with app.news:
                    app.heard += app.provider.parse(request)
                    app.news.notify_all()
                self._answer(200)

            def _answer(self, status: int, words: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def application(sandbox: RunningSandbox) -> Iterator[Application]:
    app = Application(sandbox)
    threading.Thread(target=app.server.serve_forever, args=(0.01,), daemon=True).start()
    yield app
    app.server.shutdown()
    app.server.server_close()


@pytest.fixture
def person() -> str:
    """Somebody who has never written to anybody."""
    return f"+1555{next(_numbers):07d}"


def test_it_works(sandbox: RunningSandbox) -> None:
    sent = outcome(meta(sandbox, "106540352242922"), message(overrides=SHIPPED, window_until=None))
    assert isinstance(sent, Sent)
    (got,) = sandbox.messages(channel="whatsapp", provider="meta")
    assert (got["account"], got["to"], got["from"]) == ("106540352242922", "+15551234567", "+15552242922")
    assert got["text"] == "order_shipped (de)\n1: Ann\n2: A-17"
    assert (got["data"]["id"], sent.detail) == (sent.message_id, "accepted")
    assert "a-token" not in str(got)


def test_it_shows_the_parts_of_a_template(sandbox: RunningSandbox) -> None:
    link = {"type": "image", "image": {"link": "https://shop.example/1.jpg"}}
    price = {"type": "currency", "currency": {"fallback_value": "9 €"}, "parameter_name": "price"}
    button = {
        "type": "button",
        "sub_type": "url",
        "index": "0",
        "parameters": [{"type": "text", "text": "a"}],
    }
    parts = [{"type": "header", "parameters": [link]}, {"type": "body", "parameters": [price]}, button]
    template = {"name": "sale", "language": "en", "components": parts}
    assert isinstance(outcome(meta(sandbox), message(overrides={"template": template})), Sent)
    text = "sale (en)\nheader 1: https://shop.example/1.jpg\nprice: 9 €\nbutton 0 1: a"
    assert sandbox.messages()[0]["text"] == text


def test_it_shows_words_files_and_buttons(sandbox: RunningSandbox) -> None:
    track = Button("https://shop.example/a-17", "Track it")
    for over in ({}, {"overrides": PICTURE}, {"action": track}, {"overrides": PICTURE, "action": track}):
        assert isinstance(outcome(meta(sandbox), message(**over)), Sent)
    got = list(reversed(sandbox.messages()))
    assert [each["text"] for each in got] == ["Hi"] * 4
    assert [each["data"]["media"] for each in got] == [None, "https://shop.example/shoe.jpg"] * 2
    assert got[3]["data"]["interactive"]["action"]["parameters"]["url"] == track.url


def test_it_answers_a_connection_test(sandbox: RunningSandbox) -> None:
    loop.run(meta(sandbox).check())


def test_it_wants_a_token(sandbox: RunningSandbox) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic QUM6dA=="}):
        answer = requests.get(f"{sandbox.http_url}/meta/v26.0/1", headers=headers, timeout=5)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"messaging_product": None}, 100),
        ({"to": ""}, 100),
        ({"to": "ann"}, 131009),
        ({"to": "15005550001"}, 131009),
        ({"type": "song"}, 100),
        ({"type": "image"}, 131008),
        ({"text": {"body": ""}}, 100),
        ({"text": {"body": "x" * 4097}}, 100),
        ({"type": "image", "image": {"link": "file:///etc/passwd"}}, 100),
        ({"type": "image", "image": {"link": "https://x.example/1", "caption": "x" * 1025}}, 100),
        ({"type": "interactive", "interactive": {"type": "list"}}, 131009),
        ({"type": "template", "template": {"language": {"code": "en"}}}, 131008),
        ({"type": "template", "template": {"name": "hello"}}, 131008),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
    ],
)
def test_it_refuses_what_meta_refuses(sandbox: RunningSandbox, over: dict[str, Any], code: int) -> None:
    document = {"messaging_product": "whatsapp", "to": "15551234567", "type": "text", "text": {"body": "Hi"}}
    url, headers = f"{sandbox.http_url}/meta/v26.0/1/messages", {"Authorization": "Bearer a-token"}
    answer = requests.post(url, json={**document, **over}, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert sandbox.messages() == []


@pytest.mark.parametrize(("text", "code"), [("", "131008"), ("two\nlines", "132018")])
def test_it_refuses_parameters_that_do_not_fit(sandbox: RunningSandbox, text: str, code: str) -> None:
    template = {"name": "hello", "language": "en", "parameters": [text]}
    assert refusal(meta(sandbox), message(overrides={"template": template})).code == code


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, ErrorKind.ACCOUNT, "190"),
        (404, ErrorKind.ACCOUNT, "132001"),
        (429, ErrorKind.RATE_LIMITED, "130429"),
        (500, ErrorKind.TRANSIENT, "131000"),
        (503, ErrorKind.TRANSIENT, "2"),
    ],
)
def test_it_fails_as_it_is_told(sandbox: RunningSandbox, status: int, kind: ErrorKind, code: str) -> None:
    sandbox.fault("1", status=status, retry_after=7, times=1)
    error = refusal(meta(sandbox), message())
    assert (error.kind, error.code, error.retry_after) == (kind, code, 7)
    assert isinstance(outcome(meta(sandbox), message()), Sent), "one request long"


def test_it_takes_a_message_and_never_answers(sandbox: RunningSandbox) -> None:
    sandbox.fault("meta", accept_then_timeout=True)
    assert refusal(meta(sandbox, timeout=SILENCE), message()).kind is ErrorKind.UNKNOWN
    assert len(sandbox.messages()) == 1


def test_it_refuses_everybody(sandbox: RunningSandbox) -> None:
    sandbox.fault("1", reject=True)
    assert refusal(meta(sandbox), message()).code == "131026"
    assert sandbox.messages() == []


# — what it posts


def statuses(heard: list[ParsedReceipt | Inbound]) -> list[tuple[ReceiptStatus, str]]:
    receipts = [item for item in heard if isinstance(item, ParsedReceipt)]
    return [(receipt.status, receipt.error.code if receipt.error else "") for receipt in receipts]


def test_it_tells_what_became_of_a_message(application: Application, sandbox: RunningSandbox) -> None:
    application.subscribe()
    said = message(overrides=SHIPPED)
    sent = outcome(application.provider, said)
    heard = application.hears(2)
    assert statuses(heard) == [(ReceiptStatus.SENT, ""), (ReceiptStatus.DELIVERED, "")]
    for receipt in heard:
        assert isinstance(receipt, ParsedReceipt)
        assert isinstance(sent, Sent)
        assert (receipt.message_id, receipt.reference) == (sent.message_id, said.reference)


def test_the_page_shows_what_was_posted(application: Application, sandbox: RunningSandbox) -> None:
    application.subscribe()
    outcome(application.provider, message(overrides=SHIPPED))
    application.hears(2)
    data = sandbox.messages()[0]["data"]
    assert data["status"] == "delivered"
    assert data["callbacks"][0]["answer"] == 200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"receipt": "failed"}, [(ReceiptStatus.SENT, ""), (ReceiptStatus.FAILED, "131026")]),
        (
            {"receipt": "read"},
            [(ReceiptStatus.SENT, ""), (ReceiptStatus.DELIVERED, ""), (ReceiptStatus.OPENED, "")],
        ),
        (
            {"duplicate_receipts": 1},
            [(ReceiptStatus.SENT, "")] * 2 + [(ReceiptStatus.DELIVERED, "")] * 2,
        ),
    ],
)
def test_it_tells_it_as_the_fault_says(
    application: Application, sandbox: RunningSandbox, fault: dict[str, Any], told: list[Any]
) -> None:
    application.subscribe()
    sandbox.fault(application.number, **fault)
    outcome(application.provider, message(overrides=SHIPPED))
    assert sorted(statuses(application.hears(len(told)))) == sorted(told)


def test_who_has_no_whatsapp_is_found_out_later(application: Application) -> None:
    application.subscribe()
    assert isinstance(outcome(application.provider, message("+15005550009", overrides=SHIPPED)), Sent)
    assert statuses(application.hears(1)) == [(ReceiptStatus.FAILED, "131026")]


def test_who_has_not_written_gets_templates_alone(application: Application, person: str) -> None:
    """Meta takes it, and fails it by 131047, which is `window_closed` to us."""
    application.subscribe()
    assert isinstance(outcome(application.provider, message(person)), Sent)
    assert statuses(application.hears(1)) == [(ReceiptStatus.FAILED, "window_closed")]


def test_who_wrote_may_be_written_to_freely(application: Application, person: str) -> None:
    application.subscribe()
    assert application.writes(person, "Where is my order? 📦").status_code == 204
    (reply,) = application.hears(1)
    assert isinstance(reply, Inbound)
    assert (reply.sender, reply.text) == (person, "Where is my order? 📦")
    assert reply.to == f"+1555{application.number[-7:]}"
    outcome(application.provider, message(person))
    assert statuses(application.hears(3)) == [(ReceiptStatus.SENT, ""), (ReceiptStatus.DELIVERED, "")]


def test_nobody_writes_to_a_number_without_a_webhook(application: Application, person: str) -> None:
    assert application.writes(person, "Hello?").status_code == 409


@pytest.mark.parametrize("said", [{}, {"from": "ann", "text": "Hi"}, {"from": "+15551234567"}])
def test_a_reply_that_is_none_is_refused(sandbox: RunningSandbox, said: dict[str, str]) -> None:
    assert requests.post(f"{sandbox.http_url}/meta/1/replies", json=said, timeout=5).status_code == 422


def test_a_webhook_that_does_not_know_the_token_is_not_taken(application: Application) -> None:
    with pytest.raises(HTTPError, match="409"):
        application.subscribe("another")
    assert application.writes("+15551234567", "Hello?").status_code == 409


def test_a_webhook_that_is_away_is_not_taken(application: Application) -> None:
    application.url = "http://127.0.0.1:9/"
    with pytest.raises(HTTPError, match="409"):
        application.subscribe()
