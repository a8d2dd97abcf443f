import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl

import pytest

from sandbox.testing import RunningSandbox, running_sandbox

DEADLINE_S = 30.0
LIFE = (
    "received",
    "queued",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "read",
)  # callbacks overtake each other


class Application(Protocol):
    """The application's side of callbacks: an endpoint that writes down what it gets.

    `answers` are the statuses of the next answers, 204 after them.
    `received` are (form, signature, URL as it was asked for).
    """

    url: str
    answers: list[int]
    received: list[tuple[dict[str, str], str, str]]
    news: threading.Condition

    def wait_for(self, count: int) -> list[str]:
        """Waits for so many callbacks and replies, puts them in order, returns their statuses."""


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """One sandbox for the whole run, empty and well at the start of each test."""
    _sandbox.clear()
    yield _sandbox
    _sandbox.clear()


class _Endpoint(ThreadingHTTPServer):
    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/twilio/1?tenant=demo%20one&x=%7e"
        self.answers: list[int] = []
        self.received: list[tuple[dict[str, str], str, str]] = []
        self.news = threading.Condition()

    def wait_for(self, count: int) -> list[str]:
        with self.news:
            arrived = self.news.wait_for(lambda: len(self.received) >= count, DEADLINE_S)
            self.received.sort(key=lambda received: LIFE.index(received[0]["SmsStatus"]))
        statuses = [form["SmsStatus"] for form, _, _ in self.received]
        assert arrived, f"{count} callbacks expected, got {statuses}"
        return statuses


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.news:
            url = f"http://{self.headers['Host']}{self.path}"
            self.server.received.append((dict(parse_qsl(body)), self.headers["X-Twilio-Signature"], url))
            status = self.server.answers.pop(0) if self.server.answers else 204
            self.server.news.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def start_application() -> Iterator[Callable[[int], Application]]:
    """Starts it on a port, 0 for any; it stops with the test."""
    running: list[tuple[_Endpoint, threading.Thread]] = []

    def start(port: int) -> Application:
        endpoint = _Endpoint(port)
        thread = threading.Thread(target=endpoint.serve_forever, args=(0.01,))
        thread.start()
        running.append((endpoint, thread))
        return endpoint

    yield start
    for endpoint, thread in running:
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


@pytest.fixture
def application(start_application: Callable[[int], Application]) -> Application:
    return start_application(0)
