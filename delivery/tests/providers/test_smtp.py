from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pytest

from config.embedded.valkey import free_port
from delivery import loop
from delivery.providers.base import Content, ErrorKind, Message, ProviderError, Sent
from delivery.providers.email.smtp import Smtp
from delivery.tests.contract import KINDS, PATIENCE, SILENCE, ProviderContract, Signal

WELL = {
    "": "220 smtp.example ESMTP",
    "EHLO": "250-smtp.example\r\n250-AUTH PLAIN\r\n250 SIZE 1000000",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 queued",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}
CLOSE, WAIT = "close", "wait"
SCRIPTS: Mapping[Signal, Mapping[str, str]] = {
    Signal.TAKEN: {},
    Signal.BAD_ADDRESS: {},
    Signal.BAD_CREDENTIALS: {"AUTH": "535 5.7.8 wrong password"},
    Signal.TOO_FAST: {"MAIL": "421 4.7.28 unusual rate of mail"},
    Signal.BROKEN: {"MAIL": "451 4.3.0 local error"},
    Signal.SILENT: {".": WAIT},
    Signal.GARBLED: {".": "HTTP/1.1 200 OK"},
}


class SmtpServer(socketserver.ThreadingTCPServer):
    """It answers each verb by a script: a reply, `close` to hang up, `wait` to say nothing any more."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, script: Mapping[str, str], bad_address: str) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.script = {**WELL, **script}
        self.bad_address = bad_address
        self.connections = 0
        self.mails: list[str] = []
        self.done = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.mine = cast("SmtpServer", self.server)
        self.mine.connections += 1
        going_on = self.reply("")
        while going_on and (line := self.rfile.readline().decode()):
            verb = line[:4].strip().upper()
            if verb == "RCPT" and self.mine.bad_address in line:
                going_on = self.say("550 5.1.1 no such user")
            else:
                going_on = self.reply(verb) and verb != "QUIT"
                if verb == "DATA" and self.mine.script["DATA"].startswith("354"):
                    going_on = self.take()

    def take(self) -> bool:
        lines = iter(self.rfile.readline, b".\r\n")
        self.mine.mails.append(b"".join(lines).decode())
        return self.reply(".")

    def reply(self, verb: str) -> bool:
        return self.say(self.mine.script.get(verb, "502 5.5.1 not implemented"))

    def say(self, words: str) -> bool:
        if words == WAIT:
            self.mine.done.wait(10)
        if words in {WAIT, CLOSE}:
            return False
        self.wfile.write(f"{words}\r\n".encode())
        return not words.startswith("421")


@contextmanager
def smtp_server(bad_address: str = "-", **script: str) -> Iterator[SmtpServer]:
    """`smtp_server(RCPT="550 …")`; `dot` is the end of the mail, `banner` the greeting."""
    spelled = {{"dot": ".", "banner": ""}.get(verb, verb): reply for verb, reply in script.items()}
    with SmtpServer(spelled, bad_address) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.done.set()
            server.shutdown()


class TestSmtp(ProviderContract):
    provider = Smtp
    address = "ann@example.com"
    bad_address = "nobody@example.com"
    kinds = KINDS

    @contextmanager
    def vendor(self, signal: Signal) -> Iterator[dict[str, Any]]:
        if signal is Signal.AWAY:
            yield self.settings_for(free_port())
            return
        script = {
            {".": "dot", "": "banner"}.get(verb, verb): words for verb, words in SCRIPTS[signal].items()
        }
        with smtp_server(self.bad_address, **script) as server:
            yield self.settings_for(server.port)

    def settings_for(self, port: int) -> dict[str, Any]:
        login = {"username": "shop", "password": self.secret, "security": "none"}
        return {**login, "host": "127.0.0.1", "port": port, "sender": "Shop <hello@shop.example>"}

    def outcome(self, *, timeout: float = PATIENCE, **script: str) -> ProviderError:
        with smtp_server(**script) as server:
            (outcome,) = self.send(self.settings_for(server.port), timeout=timeout)
        assert isinstance(outcome, ProviderError)
        return outcome

    @pytest.mark.parametrize(
        ("reply", "kind", "is_permanent"),
        [
            ("550 5.1.1 no such user", ErrorKind.ADDRESS, True),
            ("550 5.1.10 null MX", ErrorKind.ADDRESS, True),
            ("550 5.2.1 mailbox disabled", ErrorKind.ADDRESS, True),
            ("550 no such user here", ErrorKind.ADDRESS, True),
            ("553 mailbox name not allowed", ErrorKind.ADDRESS, True),
            ("552 5.2.2 mailbox full", ErrorKind.ADDRESS, False),
            ("554 transaction failed", ErrorKind.ADDRESS, False),
            ("550 5.7.1 your address is on a blocklist", ErrorKind.ACCOUNT, False),
            ("554 5.7.1 relay access denied", ErrorKind.ACCOUNT, False),
            ("550 5.1.8 sender's domain not found", ErrorKind.ACCOUNT, False),
            ("530 5.7.0 authentication required", ErrorKind.ACCOUNT, False),
            ("450 4.2.1 mailbox busy", ErrorKind.TRANSIENT, False),
            ("451 4.7.1 greylisted, our corporate policy", ErrorKind.TRANSIENT, False),
            ("450 4.2.1 receiving mail at a rate that prevents it", ErrorKind.RATE_LIMITED, False),
            ("452 4.5.3 too many recipients", ErrorKind.RATE_LIMITED, False),
            ("421 4.3.2 shutting down", ErrorKind.TRANSIENT, False),
        ],
    )
    def test_it_reads_a_recipients_reply(self, reply: str, kind: ErrorKind, is_permanent: bool) -> None:
        """RFC 3463, section 3, and https://www.iana.org/assignments/smtp-enhanced-status-codes"""
        error = self.outcome(RCPT=reply)
        assert (error.kind, error.permanent, error.code) == (kind, is_permanent, reply[:3])

    @pytest.mark.parametrize(
        ("verb", "reply", "kind"),
        [
            ("MAIL", "550 5.7.1 not your address", ErrorKind.ACCOUNT),
            ("MAIL", "501 syntax", ErrorKind.ACCOUNT),
            ("MAIL", "552 5.3.4 too big", ErrorKind.ADDRESS),
            ("MAIL", CLOSE, ErrorKind.TRANSIENT),
            ("RCPT", CLOSE, ErrorKind.TRANSIENT),
            ("DATA", "554 5.6.0 not like this", ErrorKind.ADDRESS),
            ("DATA", CLOSE, ErrorKind.UNKNOWN),
            ("dot", "550 5.7.1 looks like spam", ErrorKind.ACCOUNT),
            ("dot", "554 refused", ErrorKind.ADDRESS),
            ("dot", "451 4.3.0 try later", ErrorKind.TRANSIENT),
            ("dot", CLOSE, ErrorKind.UNKNOWN),
            ("banner", "554 5.3.2 no service", ErrorKind.TRANSIENT),
            ("banner", "HTTP/1.1 200 OK", ErrorKind.TRANSIENT),
            ("banner", CLOSE, ErrorKind.TRANSIENT),
            ("banner", WAIT, ErrorKind.TRANSIENT),
            ("AUTH", "535 5.7.8 no", ErrorKind.ACCOUNT),
            ("AUTH", "454 4.7.0 not now", ErrorKind.TRANSIENT),
        ],
    )
    def test_it_knows_how_far_it_came(self, verb: str, reply: str, kind: ErrorKind) -> None:
        error = self.outcome(timeout=SILENCE if reply == WAIT else PATIENCE, **{verb: reply})
        assert (error.kind, error.permanent) == (kind, False)

    def test_a_server_without_starttls_is_misconfigured(self) -> None:
        with smtp_server() as server:
            (outcome,) = self.send({**self.settings_for(server.port), "security": "starttls"})
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.ACCOUNT, "not_supported")

    def test_a_chunk_goes_over_one_connection(self) -> None:
        with smtp_server() as server:
            self.send(self.settings_for(server.port), *[self.address] * 5)
            assert (server.connections, len(server.mails)) == (1, 5)

    def test_a_connection_that_breaks_costs_one_message(self) -> None:
        with smtp_server(bad_address="breaks@example.com") as server:
            server.script["QUIT"] = CLOSE
            outcomes = self.send(
                self.settings_for(server.port), self.address, "breaks@example.com", self.address, timeout=5
            )
        assert [isinstance(outcome, Sent) for outcome in outcomes] == [True, False, True]

    def test_a_server_that_hangs_up_after_each_message_is_called_again(self) -> None:
        with smtp_server(MAIL="421 4.3.2 bye") as server:
            outcomes = self.send(self.settings_for(server.port), *[self.address] * 3)
            assert server.connections == 3
        assert {getattr(outcome, "kind", None) for outcome in outcomes} == {ErrorKind.TRANSIENT}

    def test_a_server_that_is_away_is_asked_once_a_chunk(self) -> None:
        with smtp_server(banner=WAIT) as server:
            outcomes = self.send(self.settings_for(server.port), *[self.address] * 50, timeout=SILENCE)
            assert server.connections == 1
        assert {getattr(outcome, "code", None) for outcome in outcomes} == {"connection"}

    @pytest.mark.parametrize(
        ("to", "content", "overrides"),
        [
            ("ann@example.com\r\nBcc: all@example.com", Content(subject="Hi"), {}),
            ("ann@example.com", Content(subject="Hi\r\nBcc: all@example.com"), {}),
            ("ann@example.com", Content(subject="Hi"), {"reply_to": "no list"}),
            ("ann@example.com", Content(subject="Hi"), {"headers": {"X-A": "b\nc"}}),
            ("", Content(subject="Hi"), {}),
        ],
    )
    def test_what_cannot_be_a_mail_does_not_take_its_chunk_with_it(
        self, to: str, content: Content, overrides: dict[str, Any]
    ) -> None:
        bad = Message(self.message().id, "r", to, content, overrides)
        with smtp_server() as server:
            provider = self.make(self.settings_for(server.port))
            outcomes = loop.run(provider.send([self.message(), bad, self.message()]))
            assert len(server.mails) == 2
        assert [isinstance(outcome, Sent) for outcome in outcomes] == [True, False, True]
        assert getattr(outcomes[1], "code", "") == "bad_message"

    def test_it_honours_overrides(self) -> None:
        own = {"from": "Ann <ann@shop.example>", "reply_to": ["help@shop.example"], "headers": {"X-Tag": "a"}}
        message = Message(self.message().id, "r", self.address, Content(subject="Hi", body="b"), own)
        with smtp_server() as server:
            loop.run(self.make(self.settings_for(server.port)).send([message]))
            (mail,) = server.mails
        for line in ("From: Ann <ann@shop.example>", "Reply-To: help@shop.example", "X-Tag: a"):
            assert f"{line}\r\n" in mail
        assert f"Message-ID: <{message.id}@shop.example>\r\n" in mail

    def test_a_recipient_who_is_refused_is_so_though_a_copy_went_out(self) -> None:
        own = {"cc": ["bob@example.com"]}
        message = Message(self.message().id, "r", "nobody@example.com", Content(subject="Hi", body="b"), own)
        with smtp_server(bad_address="nobody@example.com") as server:
            (outcome,) = loop.run(self.make(self.settings_for(server.port)).send([message]))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent) == (ErrorKind.ADDRESS, True)
