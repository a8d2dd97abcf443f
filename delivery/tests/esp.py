"""What every mail service has to do beside the contract, against its stand-in in the sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from delivery import loop
from delivery.providers.base import (
    Attachment,
    Content,
    ErrorKind,
    LoginRequired,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    Sent,
)
from delivery.providers.email.tracking import MAILED_TO, REFERENCE
from delivery.tests.contract import RECEIPT_URL, HttpContract
from sandbox.testing import DEADLINE_S, RunningSandbox

LOGO = Attachment("logo.png", "image/png", b"\x89PNG", "logo")
INVOICE = Attachment("invoice.pdf", "application/pdf", b"%PDF-1.7")


class EspContract(HttpContract):
    """`signing` are the settings by which receipts are verified; `most` is how many share a call."""

    address = "ann@example.com"
    bad_address = "nobody@example.com"
    signing: ClassVar[Sequence[str]]
    signs_body: ClassVar[bool] = True
    base_path: ClassVar[str]
    takes_inline_images: ClassVar[bool] = True
    answers_each: ClassVar[bool] = False
    """It takes the rest of a call in which one is refused."""

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        """A sample's body with our metadata in it."""
        raise NotImplementedError

    # — what the contract asks, and a mail service cannot

    def test_it_refuses_another_body(self) -> None:
        if not self.signs_body:
            pytest.skip("this service signs no body: the login of its URL is all")
        super().test_it_refuses_another_body()

    def test_it_refuses_a_receipt_that_is_replayed_to_another_account(self) -> None:
        """No service signs the URL. Each account has a secret of its own, and must have one."""
        request = self.signed(self.body(), RECEIPT_URL)
        for name in self.signing:
            with pytest.raises(ReceiptRefused):
                self.make({**self.settings(), name: ""}).verify(request)

    def test_it_refuses_another_accounts_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        for name in self.signing:
            with pytest.raises(ReceiptRefused):
                self.verify(request, **{name: self.another_secret()})

    def another_secret(self) -> str:
        return "another"

    # — merging

    def mails(self, sandbox: RunningSandbox, *messages: Message) -> list[Sent | ProviderError]:
        settings = self.settings_for(sandbox.http_url + self.base_path)
        return loop.run(self.make(settings, timeout=5).send(messages))

    def test_a_mail_arrives(self, sandbox: RunningSandbox) -> None:
        (outcome,) = self.mails(sandbox, mail("ann@example.com", "Hi ü", "Hällo", "<p>Hällo</p>"))
        (got,) = sandbox.messages(provider=self.provider.name)
        assert isinstance(outcome, Sent)
        assert outcome.message_id
        assert (got["to"], got["subject"], got["text"].strip()) == ("ann@example.com", "Hi ü", "Hällo")
        assert got["html"].strip() == "<p>Hällo</p>"

    def test_what_says_the_same_shares_a_call(self, sandbox: RunningSandbox) -> None:
        messages = [
            mail(f"p{n}@example.com", "Hi", "Hello", "<p>{{x}} %recipient.x% Hello</p>") for n in range(30)
        ]
        self.arrives(sandbox, messages)
        self.assert_few_calls(sandbox, messages)

    def test_words_of_their_own_share_a_call(self, sandbox: RunningSandbox) -> None:
        messages = [
            mail(f"p{n}@example.com", f"Hi {n}", f"Nr {n} ü", f"<p>Nr {n} ü {{{{y}}}}</p>") for n in range(30)
        ]
        self.arrives(sandbox, messages)
        self.assert_few_calls(sandbox, messages)

    def test_each_has_a_way_out_of_their_own(self, sandbox: RunningSandbox) -> None:
        """RFC 8058: in one call, by headers that differ; a mail to one alone has them, too."""
        messages = [
            mail(f"p{n}@example.com", f"Hi {n}", "Hello", unsubscribe_url=f"https://shop.example/u/{n}-{n}")
            for n in range(30)
        ]
        for sent in (messages, messages[:1]):
            sandbox.clear()
            self.arrives(sandbox, sent)
            for got in sandbox.messages():
                number = got["to"].partition("@")[0][1:]
                assert places(got) == f"<https://shop.example/u/{number}-{number}>"
                assert got["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        self.assert_few_calls(sandbox, messages)

    def test_who_has_no_way_out_shares_no_call_with_who_has(self, sandbox: RunningSandbox) -> None:
        ways = [f"https://shop.example/u/{n}" if n % 2 else "" for n in range(6)]
        messages = [
            mail(f"p{n}@example.com", "Hi", "Hello", unsubscribe_url=way) for n, way in enumerate(ways)
        ]
        self.arrives(sandbox, messages)
        found = {got["to"]: places(got) for got in sandbox.messages()}
        assert [found[message.to] for message in messages] == [f"<{way}>" if way else None for way in ways]

    def test_text_alone_shares_a_call(self, sandbox: RunningSandbox) -> None:
        self.arrives(sandbox, [mail(f"p{n}@example.com", f"Hi {n}", f"Nr {n}") for n in range(5)])

    def test_a_mail_that_is_too_long_to_share_goes_by_itself(self, sandbox: RunningSandbox) -> None:
        long = [
            mail(f"p{n}@example.com", "Hi", f"Nr {n}", f"<p>Nr {n}</p>" + "x" * 250_000) for n in range(4)
        ]
        self.arrives(sandbox, [*long, mail("p9@example.com", "Hi", "short", "<p>short</p>")])

    def test_a_second_mail_to_somebody_is_another(self, sandbox: RunningSandbox) -> None:
        messages = [
            mail(to, f"Hi {n}", f"Nr {n}")
            for n, to in enumerate(["ann@example.com"] * 3 + ["Bob@example.com"])
        ]
        outcomes = self.arrives(sandbox, messages)
        assert len({outcome.message_id for outcome in outcomes if isinstance(outcome, Sent)}) >= 3

    def test_what_differs_in_more_than_words_goes_apart(self, sandbox: RunningSandbox) -> None:
        tagged = [
            replace(
                mail(f"p{n}@example.com", "Hi", "Hello"), overrides={"reply_to": [f"r{n % 2}@shop.example"]}
            )
            for n in range(6)
        ]
        self.arrives(sandbox, tagged)

    def test_what_is_no_mail_costs_the_others_nothing(self, sandbox: RunningSandbox) -> None:
        messages = [mail(f"p{n}@example.com", f"Hi {n}", f"Nr {n}") for n in range(9)]
        messages[4] = replace(messages[4], to="no-address")
        outcomes = self.mails(sandbox, *messages)
        assert [isinstance(outcome, Sent) for outcome in outcomes] == [n != 4 for n in range(9)]
        assert len(sandbox.messages()) == 8

    def test_a_call_that_is_refused_is_made_again_by_halves(self, sandbox: RunningSandbox) -> None:
        messages = [mail(f"p{n}@example.com", f"Hi {n}", f"Nr {n}") for n in range(9)]
        sandbox.fault(self.provider.name, reject=True, times=1)
        outcomes = self.mails(sandbox, *messages)
        if self.answers_each:
            assert all(isinstance(each, ProviderError) and each.permanent for each in outcomes)
        else:
            assert all(isinstance(each, Sent) for each in outcomes)
            assert sorted(got["to"] for got in sandbox.messages()) == [message.to for message in messages]

    def test_an_address_that_the_service_refuses_is_permanent(self, sandbox: RunningSandbox) -> None:
        sandbox.fault(self.provider.name, reject=True)
        for outcome in self.mails(sandbox, *[mail(f"p{n}@example.com", "Hi", f"Nr {n}") for n in range(3)]):
            assert isinstance(outcome, ProviderError)
            assert (outcome.kind, outcome.permanent) == (ErrorKind.ADDRESS, True)

    def test_copies_go_out_with_a_mail_of_its_own(self, sandbox: RunningSandbox) -> None:
        own = {"cc": ["bob@example.com"], "bcc": ["archive@shop.example"]}
        messages = [replace(mail(f"p{n}@example.com", "Hi", "Hello"), overrides=own) for n in range(2)]
        assert all(isinstance(outcome, Sent) for outcome in self.mails(sandbox, *messages))
        for got in sandbox.messages():
            assert got["data"]["metadata"][MAILED_TO] == got["to"]

    def test_it_sends_what_overrides_say(self, sandbox: RunningSandbox) -> None:
        own = {
            "reply_to": ["help@shop.example"],
            "headers": {"X-Campaign": "spring"},
            "tags": ["receipt"],
            "metadata": {"order": "A-17"},
        }
        message = replace(mail("ann@example.com", "Hi", "Hello"), overrides=own)
        assert all(isinstance(outcome, Sent) for outcome in self.mails(sandbox, message))
        (got,) = sandbox.messages()
        for said in ("help@shop.example", "spring", "receipt", "A-17"):
            assert said in str(got)

    def test_it_attaches_files(self, sandbox: RunningSandbox) -> None:
        files = [INVOICE, *([LOGO] if self.takes_inline_images else [])]
        messages = [
            replace(mail(f"p{n}@example.com", "Hi", "b", "<p>b</p>"), attachments=files) for n in range(2)
        ]
        assert all(isinstance(outcome, Sent) for outcome in self.mails(sandbox, *messages))
        for got in sandbox.messages():
            assert "invoice.pdf" in got["data"]["attachments"]
            assert len(got["data"]["attachments"]) == len(files)

    def test_an_inline_image_that_it_cannot_show_is_refused(self, sandbox: RunningSandbox) -> None:
        if self.takes_inline_images:
            pytest.skip("it can")
        message = replace(mail("ann@example.com", "Hi", "b", "<p>b</p>"), attachments=[LOGO])
        (outcome,) = self.mails(sandbox, message)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (ErrorKind.ADDRESS, "bad_message", False)

    def arrives(self, sandbox: RunningSandbox, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        """Each has its own words, and the reference that its receipts will bring back."""
        outcomes = self.mails(sandbox, *messages)
        assert all(isinstance(outcome, Sent) for outcome in outcomes), outcomes
        got = {message["data"]["metadata"][REFERENCE]: message for message in sandbox.messages()}
        assert len(got) == len(messages) == len(sandbox.messages())
        for message in messages:
            found, said = got[message.reference], message.content
            words = (found["to"], found["subject"], found["text"].strip(), (found["html"] or "").strip())
            assert words == (message.to, said.subject, said.body, said.html)
        return outcomes

    def assert_few_calls(self, sandbox: RunningSandbox, messages: Sequence[Message]) -> None:
        """By the fault that strikes a number of requests: so many were made."""
        sandbox.clear()
        sandbox.fault(self.provider.name, status=503, times=2)
        outcomes = self.mails(sandbox, *messages)
        assert sum(isinstance(outcome, ProviderError) for outcome in outcomes) >= len(messages) / 2

    # — receipts

    def test_it_hears_what_became_of_a_mail(self, sandbox: RunningSandbox) -> None:
        heard = self.heard(sandbox, "ok@simulator.carillon.test", 1)
        assert [receipt.status for receipt in heard] == ["delivered"]

    def test_a_mailbox_that_is_not_there_is_permanent(self, sandbox: RunningSandbox) -> None:
        (receipt,) = self.heard(sandbox, "bounce@simulator.carillon.test", 1)
        assert receipt.error is not None
        assert (receipt.error.kind, receipt.error.permanent) == (ErrorKind.ADDRESS, True)

    def test_a_mail_that_waits_has_not_failed(self, sandbox: RunningSandbox) -> None:
        heard = self.heard(sandbox, "defer@simulator.carillon.test", 2)
        assert "delivered" in {receipt.status for receipt in heard}
        assert [receipt.error for receipt in heard] == [None, None]

    def test_a_complaint_is_one(self, sandbox: RunningSandbox) -> None:
        heard = self.heard(sandbox, "complaint@simulator.carillon.test", 2)
        assert sorted(receipt.status for receipt in heard) == ["complained", "delivered"]

    def test_a_receipt_that_comes_twice_has_one_id(self, sandbox: RunningSandbox) -> None:
        sandbox.fault(self.provider.name, duplicate_receipts=1)
        heard = self.heard(sandbox, "ok@simulator.carillon.test", 2)
        assert len({receipt.event_id for receipt in heard}) == 1

    def heard(self, sandbox: RunningSandbox, to: str, count: int) -> list[ParsedReceipt]:
        """What its stand-in posts of a mail, verified and read."""
        message = mail(to, "Hi", "Hello", "<p>Hello</p>")
        provider = self.make(self.settings_for(sandbox.http_url + self.base_path))

        def about_it(request: ReceiptRequest) -> list[ParsedReceipt]:
            provider.verify(request)
            receipts = [each for each in provider.parse(request) if isinstance(each, ParsedReceipt)]
            return [receipt for receipt in receipts if receipt.reference == message.reference]

        with listening() as listener:
            sandbox.webhook(self.provider.name, listener.url_for(self.webhook_login()), self.webhook_secret())
            (outcome,) = self.mails(sandbox, message)
            heard = listener.wait_for(count, about_it)
        assert isinstance(outcome, Sent)
        assert {receipt.message_id for receipt in heard} == {outcome.message_id}
        assert abs(heard[0].occurred_at.timestamp() - time.time()) < DEADLINE_S
        return heard

    def webhook_login(self) -> str:
        """Of the URL."""
        return ""

    def webhook_secret(self) -> str:
        return self.secret

    def test_a_receipt_of_somebody_who_got_a_copy_is_not_the_recipients(self) -> None:
        for meant, expected in (("ann@example.com", 0), ("", 1)):
            body = self.about(dict(self.body()), "ref.1", meant)
            receipts = self.make(self.settings()).parse(self.signed(body, RECEIPT_URL))
            assert len(receipts) == expected
            assert all(isinstance(r, ParsedReceipt) and r.reference == "ref.1" for r in receipts)


class LoginContract(EspContract):
    """For a service that has nothing but the login in its webhook's URL."""

    signing = ("webhook_login",)
    signs_body = False
    login: ClassVar[str] = "hook:open-sesame"

    def webhook_login(self) -> str:
        return self.login

    def another_secret(self) -> str:
        return "hook:another"

    def test_it_asks_for_the_login(self) -> None:
        """Some services send it only then."""
        with pytest.raises(LoginRequired):
            self.verify(ReceiptRequest("POST", RECEIPT_URL, {}, b"{}"))


class Listener(ThreadingHTTPServer):
    """The application's side of a webhook: it writes down what it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ReceiptRequest] = []
        self.news = Condition()

    def url_for(self, login: str) -> str:
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.server_port}/webhooks/esp/1"

    def wait_for(
        self, count: int, read: Callable[[ReceiptRequest], list[ParsedReceipt]]
    ) -> list[ParsedReceipt]:
        """So many receipts, as `read` finds them: others may still be under way from the test before."""

        def found() -> list[ParsedReceipt]:
            return [receipt for request in self.requests for receipt in read(request)]

        with self.news:
            assert self.news.wait_for(lambda: len(found()) >= count, DEADLINE_S), "nothing came"
            return found()[:count]


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.news:
            self.server.requests.append(ReceiptRequest("POST", RECEIPT_URL, headers, body))
            self.server.news.notify_all()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def listening() -> Iterator[Listener]:
    with Listener() as listener:
        Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield listener
        listener.shutdown()


def places(got: Mapping[str, Any]) -> str | None:
    """Where the reader can leave, as the sandbox got it."""
    found: str | None = got["headers"].get("List-Unsubscribe")
    return found


def mail(to: str, subject: str, text: str, html: str = "", **over: Any) -> Message:
    id = uuid4()
    return Message(id, f"{id}.1", to, Content(subject=subject, body=text, html=html), **over)
