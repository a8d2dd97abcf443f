"""SMTP by STARTTLS (RFC 3207) and by implicit TLS (RFC 8314), against a mail server with a certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from config.embedded.valkey import free_port
from delivery import loop
from delivery.providers.base import Content, ErrorKind, Message, ProviderError, Sent
from delivery.providers.email.smtp import Smtp
from delivery.tests.certificates import Authority
from delivery.tests.providers.test_smtp import smtp_server

HOST = "127.0.0.1"
STARTTLS, TLS = "starttls", "tls"


class Mailbox:
    """What a server was told: who logged in, and what came."""

    def __init__(self) -> None:
        self.logins: list[bytes] = []
        self.mails: list[bytes] = []

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, who: LoginPassword
    ) -> AuthResult:
        self.logins.append(who.password)
        return AuthResult(success=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope.original_content or b"")
        return "250 2.0.0 OK"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@contextmanager
def mail_server(security: str, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, Mailbox]]:
    """One that takes a password only inside of TLS, if it has a certificate; its port and what it took."""
    box = Mailbox()
    speaks_starttls = security == STARTTLS and context is not None
    controller = Controller(
        box,
        hostname=HOST,
        port=free_port(),
        ssl_context=context if security == TLS else None,
        tls_context=context if speaks_starttls else None,
        require_starttls=speaks_starttls,
        auth_require_tls=speaks_starttls,
        authenticator=box.authenticate,
    )
    controller.start()
    try:
        yield controller.port, box
    finally:
        controller.stop()


def provider(port: int, security: str) -> Smtp:
    settings: dict[str, Any] = {
        "host": HOST,
        "port": port,
        "security": security,
        "username": "shop",
        "password": "open-sesame",
        "sender": "hello@shop.example",
    }
    return Smtp(Smtp.Settings(**settings), receipt_url="https://bell.example/webhooks/smtp/1", timeout=5)


def send(port: int, security: str) -> Sent | ProviderError:
    id = uuid4()
    message = Message(id, f"{id}.1", "ann@example.com", Content(subject="Hi", body="How are you?"))
    (outcome,) = loop.run(provider(port, security).send([message]))
    return outcome


def failure(port: int, security: str) -> ProviderError:
    outcome = send(port, security)
    assert isinstance(outcome, ProviderError)
    return outcome


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_it_works(trusted: Authority, security: str) -> None:
    with mail_server(security, trusted.server_context(HOST)) as (port, box):
        loop.run(provider(port, security).check())
        assert isinstance(send(port, security), Sent)
    assert box.logins == [b"open-sesame"] * 2
    assert len(box.mails) == 1


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_it_trusts_no_certificate_of_a_stranger(authority: Authority, security: str) -> None:
    with mail_server(security, authority.server_context(HOST)) as (port, box):
        error = failure(port, security)
        with pytest.raises(ProviderError, match="not trusted"):
            loop.run(provider(port, security).check())
    assert (error.kind, error.code) == (ErrorKind.ACCOUNT, "certificate")
    assert error.message.startswith("the server's certificate is not trusted: ")
    assert box.logins == box.mails == []


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_it_trusts_no_certificate_of_another_host(trusted: Authority, security: str) -> None:
    with mail_server(security, trusted.server_context("192.0.2.1")) as (port, box):
        error = failure(port, security)
    assert (error.kind, error.code) == (ErrorKind.ACCOUNT, "certificate")
    assert "mismatch" in error.message
    assert box.logins == box.mails == []


@pytest.mark.parametrize(
    ("security", "code", "words"),
    [
        (STARTTLS, "not_supported", "STARTTLS extension not supported by server."),
        (TLS, "no_tls", "the server does not begin with TLS on this port"),
    ],
)
def test_it_never_falls_back_to_plain_text(security: str, code: str, words: str) -> None:
    with mail_server("none") as (port, box):
        error = failure(port, security)
    assert (error.kind, error.code, error.message) == (ErrorKind.ACCOUNT, code, words)
    assert box.logins == box.mails == []


def test_it_waits_for_a_server_whose_tls_is_out_of_order() -> None:
    """RFC 3207, section 4: 454, TLS not available due to temporary reason."""
    greeting = "250-smtp.example\r\n250-AUTH PLAIN\r\n250 STARTTLS"
    with smtp_server(EHLO=greeting, STAR="454 4.7.0 TLS not available") as server:
        error = failure(server.port, STARTTLS)
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "454")
    assert server.mails == []
