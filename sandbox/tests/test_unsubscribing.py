"""The button of one-click unsubscribe, pressed as a mail provider does."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests

from sandbox.testing import RunningSandbox

ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


class Sender(HTTPServer):
    """Whoever sent the mail; it answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.got: list[tuple[str, str, str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/u/a_b-c"


class _Handler(BaseHTTPRequestHandler):
    server: Sender

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], self.headers["Cookie"], body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"Unsubscribed.\n")

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def press(sandbox: RunningSandbox, headers: str) -> requests.Response:
    """The answer to the button of a mail with these headers."""
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.sendmail("shop@example.com", ["ann@example.com"], f"{headers}\r\nhi".encode())
    path = f"/api/messages/{sandbox.messages()[0]['id']}/unsubscribe"
    return requests.post(sandbox.http_url + path, timeout=5)


def test_it_works(sandbox: RunningSandbox, sender: Sender) -> None:
    mailto = "<mailto:out@shop.example?subject=x>"
    answer = press(sandbox, f"List-Unsubscribe: {mailto}, <{sender.url}>\r\n{ONE_CLICK}")
    assert (answer.status_code, answer.json()["status"], answer.json()["answer"]) == (
        200,
        200,
        "Unsubscribed.",
    )
    form = "application/x-www-form-urlencoded"
    assert sender.got == [("/u/a_b-c", form, None, b"List-Unsubscribe=One-Click")]
    assert sandbox.messages()[0]["data"]["unsubscribe"]["status"] == 200


@pytest.mark.parametrize("status", [302, 404, 500])
def test_it_says_what_came_back_and_follows_nobody(
    sandbox: RunningSandbox, sender: Sender, status: int
) -> None:
    sender.status = status
    answer = press(sandbox, f"List-Unsubscribe: <{sender.url}>\r\n{ONE_CLICK}")
    assert answer.json()["status"] == status
    assert len(sender.got) == 1


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "List-Unsubscribe: <{url}>\r\n",
        ONE_CLICK,
        "List-Unsubscribe: <mailto:out@shop.example>\r\n" + ONE_CLICK,
        "List-Unsubscribe: <{url}>\r\nList-Unsubscribe-Post: other\r\n",
    ],
)
def test_a_mail_without_both_headers_has_no_button(
    sandbox: RunningSandbox, sender: Sender, headers: str
) -> None:
    answer = press(sandbox, headers.format(url=sender.url))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_one_click")
    assert sender.got == []


def test_nobody_there(sandbox: RunningSandbox) -> None:
    answer = press(sandbox, f"List-Unsubscribe: <http://127.0.0.1:9/u>\r\n{ONE_CLICK}")
    assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")


def test_a_message_that_is_not_there(sandbox: RunningSandbox) -> None:
    assert requests.post(f"{sandbox.http_url}/api/messages/1/unsubscribe", timeout=5).status_code == 404
