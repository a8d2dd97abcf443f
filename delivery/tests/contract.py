"""What every provider has to do, as tests that a vendor's file inherits.

Subclass `ProviderContract`, or `HttpContract` for a vendor that speaks HTTP, and say how this one says what.
CONTRIBUTING.md, "Adding a provider", walks through one. Everything goes over real sockets.
"""

from __future__ import annotations

import atexit
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote_plus
from uuid import uuid4

import pytest
from pydantic import SecretStr

from config.embedded.valkey import free_port
from delivery import loop
from delivery.accounts import secret_fields
from delivery.providers.base import (
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    Provider,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    Sent,
)
from delivery.providers.http import close_session

RECEIPT_URL = "https://bell.example/webhooks/vendor/1"
RETRY_AFTER = 7
SAID = "the words of the message"

PATIENCE = 10.0
"""Seconds for an answer that comes at once, unless the machine is busy."""
SILENCE = 0.5
"""Seconds for one that never comes, or where nobody listens."""


class Signal(Enum):
    """What a vendor has to say to a message."""

    TAKEN = auto()
    BAD_ADDRESS = auto()
    BAD_CREDENTIALS = auto()
    TOO_FAST = auto()
    BROKEN = auto()  # its own fault, and it says so
    SILENT = auto()  # it took the message, and its answer never comes
    GARBLED = auto()  # it answers, but not in its protocol
    AWAY = auto()  # nobody listens


KINDS: Mapping[Signal, ErrorKind] = {
    Signal.BAD_ADDRESS: ErrorKind.ADDRESS,
    Signal.BAD_CREDENTIALS: ErrorKind.ACCOUNT,
    Signal.TOO_FAST: ErrorKind.RATE_LIMITED,
    Signal.BROKEN: ErrorKind.TRANSIENT,
    Signal.SILENT: ErrorKind.UNKNOWN,
    Signal.GARBLED: ErrorKind.UNKNOWN,
    Signal.AWAY: ErrorKind.TRANSIENT,
}


class ProviderContract:
    """`kinds` is what each signal of this vendor means; leave out those that it cannot give."""

    provider: ClassVar[type[Provider]]
    address: ClassVar[str]
    bad_address: ClassVar[str]
    kinds: ClassVar[Mapping[Signal, ErrorKind]] = KINDS
    samples: ClassVar[Path | None] = None
    secret: ClassVar[str] = "open-sesame"
    has_secret: ClassVar[bool] = True

    def vendor(self, signal: Signal) -> AbstractContextManager[dict[str, Any]]:
        """Settings that lead to a vendor on this machine, which answers every message by `signal`.

        One that says TAKEN nevertheless refuses `bad_address`.
        """
        raise NotImplementedError

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        """A receipt as the vendor posts it: `body` is a sample's."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Settings that nobody is called with."""
        with self.vendor(Signal.AWAY) as settings:
            return settings

    def make(self, settings: Mapping[str, Any], **over: Any) -> Provider:
        options = {"receipt_url": RECEIPT_URL, "timeout": PATIENCE, **over}
        return self.provider(self.provider.Settings(**settings), **options)

    def message(self, to: str = "") -> Message:
        id = uuid4()
        content = Content(subject=SAID, title=SAID, body=SAID, html=f"<p>{SAID}</p>")
        return Message(id, f"{id}.1", to or self.address, content)

    def send(self, settings: Mapping[str, Any], *to: str, **over: Any) -> list[Sent | ProviderError]:
        messages = [self.message(address) for address in to or (self.address,)]
        return loop.run(self.make(settings, **over).send(messages))

    def error(self, signal: Signal) -> ProviderError:
        to = self.bad_address if signal is Signal.BAD_ADDRESS else self.address
        timeout = SILENCE if signal in {Signal.SILENT, Signal.AWAY} else PATIENCE
        with self.vendor(signal) as settings:
            (outcome,) = self.send(settings, to, timeout=timeout)
        assert isinstance(outcome, ProviderError)
        return outcome

    # — sending

    def test_it_works_and_logs_nothing_private(self, everything: pytest.LogCaptureFixture) -> None:
        with self.vendor(Signal.TAKEN) as settings:
            (outcome,) = self.send(settings)
        assert isinstance(outcome, Sent)
        self.assert_nothing_private(everything.text)

    def test_it_sends_nothing_when_there_is_nothing(self) -> None:
        with self.vendor(Signal.TAKEN) as settings:
            assert loop.run(self.make(settings).send([])) == []

    def test_it_answers_in_order(self) -> None:
        if Signal.BAD_ADDRESS not in self.kinds:
            pytest.skip("this vendor refuses no address")
        to = [self.bad_address if n % 3 == 1 else self.address for n in range(12)]
        with self.vendor(Signal.TAKEN) as settings:
            outcomes = self.send(settings, *to)
        assert [type(outcome) for outcome in outcomes] == [
            ProviderError if address == self.bad_address else Sent for address in to
        ]

    def test_it_gives_each_message_an_id_of_its_own(self) -> None:
        if not self.provider.needs_account:
            pytest.skip("nothing is sent to anybody")
        with self.vendor(Signal.TAKEN) as settings:
            outcomes = self.send(settings, *[self.address] * 3)
        ids = {outcome.message_id for outcome in outcomes if isinstance(outcome, Sent)}
        assert len(ids - {""}) == 3

    @pytest.mark.parametrize("signal", KINDS)
    def test_it_knows_whose_fault_it_is_and_logs_nothing_private(
        self, signal: Signal, everything: pytest.LogCaptureFixture
    ) -> None:
        if signal not in self.kinds:
            pytest.skip("this vendor does not say so")
        error = self.error(signal)
        assert error.kind is self.kinds[signal]
        assert error.code, "an operator looks it up"
        if signal is Signal.SILENT:
            assert error.latency_ms >= 0.8 * 1000 * SILENCE, "it measures how long it took"
        self.assert_nothing_private(everything.text)

    def assert_nothing_private(self, logged: str) -> None:
        """No secret, no address and no words."""
        addresses = (self.address, self.bad_address)
        for private in (self.secret, SAID, quote_plus(SAID), *addresses, *map(quote_plus, addresses)):
            assert private not in logged

    def test_it_begins_nothing_when_its_time_is_up(self) -> None:
        if not self.provider.needs_account:
            pytest.skip("nothing is sent to anybody")
        with self.vendor(Signal.TAKEN) as settings:
            outcomes = self.send(settings, *[self.address] * 3, budget=0.0)
        assert [getattr(outcome, "code", "") for outcome in outcomes] == ["out_of_time"] * 3

    # — the test of a connection

    def test_its_check_passes(self) -> None:
        with self.vendor(Signal.TAKEN) as settings:
            loop.run(self.make(settings).check())

    @pytest.mark.parametrize("signal", [Signal.BAD_CREDENTIALS, Signal.AWAY])
    def test_its_check_fails(self, signal: Signal) -> None:
        if signal not in self.kinds:
            pytest.skip("there is nothing to check")
        timeout = SILENCE if signal is Signal.AWAY else PATIENCE
        with self.vendor(signal) as settings, pytest.raises(ProviderError) as failure:
            loop.run(self.make(settings, timeout=timeout).check())
        assert failure.value.kind is self.kinds[signal]

    # — settings

    def test_its_settings_make_a_form(self) -> None:
        for name, field in self.provider.Settings.model_fields.items():
            assert field.title, f"{name} has no title for its label"

    def test_its_secrets_are_typed_as_such(self) -> None:
        settings = self.provider.Settings(**self.settings())
        hidden = secret_fields(self.provider.Settings)
        held = {name for name in hidden if isinstance(getattr(settings, name), SecretStr)}
        assert held or not self.has_secret
        assert self.secret not in repr(settings)

    def test_its_name_and_label_are_there(self) -> None:
        assert self.provider.name.isidentifier()
        assert self.provider.channel
        assert self.provider.label

    # — receipts

    def body(self) -> Mapping[str, Any]:
        if self.samples is None:
            pytest.skip("this vendor sends no receipts")
        body: Mapping[str, Any] = samples(self.samples)[0]["body"]
        return body

    def verify(self, request: ReceiptRequest, **over: Any) -> None:
        self.make({**self.settings(), **over}).verify(request)

    def test_it_refuses_receipts_that_nobody_sends(self) -> None:
        if self.samples is not None:
            pytest.skip("this vendor sends receipts")
        request = ReceiptRequest("POST", RECEIPT_URL, {}, b"")
        for method in (self.make(self.settings()).verify, self.make(self.settings()).parse):
            with pytest.raises(ReceiptRefused):
                method(request)

    def test_it_accepts_a_signature(self) -> None:
        self.verify(self.signed(self.body(), RECEIPT_URL))

    def test_it_refuses_a_receipt_without_a_signature(self) -> None:
        with pytest.raises(ReceiptRefused):
            self.verify(replace(self.signed(self.body(), RECEIPT_URL), headers={}))

    def test_it_refuses_another_body(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        with pytest.raises(ReceiptRefused):
            self.verify(replace(request, body=request.body + b"&x=1"))

    def test_it_refuses_a_receipt_that_is_replayed_to_another_account(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        with pytest.raises(ReceiptRefused):
            self.verify(replace(request, url=RECEIPT_URL + "2"))

    def test_it_refuses_another_accounts_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        for name in secret_fields(self.provider.Settings):
            with pytest.raises(ReceiptRefused):
                self.verify(request, **{name: "another"})

    def test_it_reads_every_sample(self) -> None:
        self.body()
        assert self.samples is not None
        for sample in samples(self.samples):
            request = self.signed(sample["body"], RECEIPT_URL)
            (receipt,) = self.make(self.settings()).parse(request)
            assert summary(receipt) == sample["expected"], sample

    def test_it_gives_a_repeated_event_the_same_id(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        first, again = (self.make(self.settings()).parse(request)[0] for _ in range(2))
        assert first.event_id == again.event_id

    def test_it_refuses_what_it_cannot_read(self) -> None:
        self.body()
        with pytest.raises(ReceiptRefused):
            self.make(self.settings()).parse(ReceiptRequest("POST", RECEIPT_URL, {}, b"\xff\0garbage"))

    @pytest.fixture
    def everything(self, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
        """All that any logger says, whatever level it was given."""
        known = map(logging.getLogger, list(logging.root.manager.loggerDict))
        levels = {logger: logger.level for logger in (logging.root, *known) if logger.level}
        for logger in levels:  # those without a level have their parent's
            logger.setLevel(logging.DEBUG)
        yield caplog
        for logger, level in levels.items():
            logger.setLevel(level)


def samples(folder: Path) -> list[dict[str, Any]]:
    """`{"source", "body", "expected"}` of each file: what the vendor's page shows, and what we make of it."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    assert found, f"there are no samples in {folder}"
    return found


def summary(receipt: ParsedReceipt | Inbound) -> dict[str, Any]:
    """What a sample's `expected` says of a receipt or a reply."""
    if isinstance(receipt, Inbound):
        return {"sender": receipt.sender, "to": receipt.to, "text": receipt.text}
    error = receipt.error
    return {
        "message_id": receipt.message_id,
        "status": receipt.status.value,
        "error": error and {"kind": error.kind.value, "code": error.code, "permanent": error.permanent},
    }


Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


PROXY: Mapping[int, ErrorKind] = {
    302: ErrorKind.ACCOUNT,
    401: ErrorKind.ACCOUNT,
    403: ErrorKind.ACCOUNT,
    404: ErrorKind.ACCOUNT,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.TRANSIENT,
    502: ErrorKind.TRANSIENT,
    504: ErrorKind.UNKNOWN,
}


class HttpContract(ProviderContract):
    """For a vendor that speaks HTTP: say what it answers; the server is here.

    `proxy` is what a status means that comes without the vendor's own words.
    """

    proxy: ClassVar[Mapping[int, ErrorKind]] = PROXY

    def settings_for(self, base_url: str) -> dict[str, Any]:
        raise NotImplementedError

    def taken(self, number: int) -> Answer:
        """The answer to a message, the `number`th, or to a check."""
        raise NotImplementedError

    def refused(self) -> Answer:
        """The answer to a message for `bad_address`."""
        raise NotImplementedError

    def answer(self, signal: Signal, number: int) -> Answer:
        """Override where the vendor's statuses are its own."""
        match signal:
            case Signal.BAD_CREDENTIALS:
                return 401, {}, b"{}"
            case Signal.TOO_FAST:
                return 429, {"Retry-After": str(RETRY_AFTER)}, b"{}"
            case Signal.BROKEN:
                return 503, {}, b"Service Unavailable"
            case Signal.GARBLED:
                return 200, {}, b"<html>\xff"
            case _:
                return self.taken(number)

    @contextmanager
    def vendor(self, signal: Signal) -> Iterator[dict[str, Any]]:
        if signal is Signal.AWAY:
            yield self.settings_for(f"http://127.0.0.1:{free_port()}")
            return
        with Server(self, signal) as server:
            yield self.settings_for(server.url)

    def ask(self, server: Server) -> Sent | ProviderError:
        """What becomes of one message that is sent there."""
        (outcome,) = self.send(self.settings_for(server.url))
        return outcome

    def test_it_hands_on_how_long_to_wait(self) -> None:
        assert self.error(Signal.TOO_FAST).retry_after == RETRY_AFTER

    @pytest.mark.parametrize("status", PROXY)
    def test_it_understands_a_proxy_that_answers_instead(self, status: int) -> None:
        page = (status, {"Location": "http://127.0.0.1:9/"}, b"<html>a page</html>")
        with Server(self, Signal.TAKEN, always=page) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert outcome.kind is self.proxy[status]


class Server:
    """A vendor's HTTP server, which answers as a contract says."""

    def __init__(self, contract: HttpContract, signal: Signal, always: Answer | None = None) -> None:
        self.contract, self.signal, self.always = contract, signal, always
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.done = threading.Event()
        self._listener = _idle.pop() if _idle else _Listener()
        self.url = f"http://127.0.0.1:{self._listener.server_port}"

    def __enter__(self) -> Server:
        self._listener.asked = self
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.done.set()
        self._listener.asked = None
        _idle.append(self._listener)
        loop.run(close_session())  # who comes next begins with a connection of its own

    def answer(self, asked: bytes) -> Answer:
        """`asked` is the path and the body: the address stands in one of them."""
        if self.always is not None:
            return self.always
        bad = self.contract.bad_address
        if self.signal in {Signal.TAKEN, Signal.BAD_ADDRESS} and any(
            spelled.encode() in asked for spelled in (bad, quote_plus(bad))
        ):
            return self.contract.refused()
        return self.contract.answer(self.signal, len(self.requests))


class _Listener(ThreadingHTTPServer):
    """A port and a thread. They outlive a test: making them anew would take longer than what is asked."""

    daemon_threads = True
    request_queue_size = 128  # a chunk knocks all at once
    asked: Server | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        atexit.register(self.server_close)
        threading.Thread(target=self.serve_forever, daemon=True).start()


_idle: list[_Listener] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body waits 40 ms until the headers are acknowledged
    server: _Listener

    def handle_any(self) -> None:
        asked, body = self.server.asked, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert asked is not None, "it comes after its test"
        asked.requests.append((self.command, self.path, dict(self.headers), body))
        if asked.signal is Signal.SILENT:
            asked.done.wait(PATIENCE)
            self.close_connection = True
            return
        status, headers, said = asked.answer(self.path.encode() + body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - as the library finds them

    def log_message(self, *args: object) -> None:
        """The test reads the logs."""


def json_answer(status: int, document: Mapping[str, Any] | Sequence[Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()
