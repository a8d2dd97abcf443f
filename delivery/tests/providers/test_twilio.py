from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from twilio.request_validator import RequestValidator

from delivery import loop
from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    Sent,
)
from delivery.providers.sms.twilio import TwilioSms
from delivery.tests.contract import Answer, HttpContract, Server, Signal, json_answer

SID = "AC00000000000000000000000000000001"
SERVICE = "MG00000000000000000000000000000001"
REPLY = {
    "MessageSid": "SM00000000000000000000000000000002",
    "From": "+15005550010",
    "To": "+15005550006",
    "Body": "Thanks!",
    "SmsStatus": "received",
}


class TestTwilio(HttpContract):
    provider = TwilioSms
    address = "+15005550010"
    bad_address = "+15005550009"
    samples = Path(__file__).parent / "samples" / "twilio"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        token = {"account_sid": SID, "auth_token": self.secret}
        return {**token, "sender": "+15005550006", "base_url": base_url}

    def taken(self, number: int) -> Answer:
        return json_answer(201, {"sid": f"SM{number:032d}", "status": "queued"})

    def refused(self) -> Answer:
        return error(400, 21614)

    def answer(self, signal: Signal, number: int) -> Answer:
        return error(401, 20003) if signal is Signal.BAD_CREDENTIALS else super().answer(signal, number)

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        signature = RequestValidator(self.secret).compute_signature(url, body)
        return ReceiptRequest("POST", url, {"x-twilio-signature": signature}, urlencode(body).encode())

    def outcome(self, answer: Answer, **settings: Any) -> tuple[Sent | ProviderError, Server]:
        with Server(self, Signal.TAKEN, always=answer) as server:
            (outcome,) = self.send({**self.settings_for(server.url), **settings})
        return outcome, server

    def test_it_speaks_the_messages_api(self) -> None:
        """https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource"""
        outcome, server = self.outcome(self.taken(1))
        ((method, path, headers, body),) = server.requests
        assert (method, path) == ("POST", f"/2010-04-01/Accounts/{SID}/Messages.json")
        assert headers["Authorization"].startswith("Basic ")
        form = parse_qs(body.decode())
        assert (form["To"], form["From"]) == ([self.address], ["+15005550006"])
        assert form["StatusCallback"][0].startswith("https://bell.example/webhooks/vendor/1?reference=")
        assert outcome == Sent(f"SM{1:032d}", "queued", outcome.latency_ms)

    def test_it_sends_by_a_messaging_service(self) -> None:
        _, server = self.outcome(self.taken(1), sender=SERVICE)
        form = parse_qs(server.requests[0][3].decode())
        assert (form["MessagingServiceSid"], "From" in form) == ([SERVICE], False)

    @pytest.mark.parametrize(
        ("seconds", "given"), [(600, range(590, 601)), (86_400, [36_000]), (0.5, [1]), (None, [None])]
    )
    def test_it_passes_the_deadline_on(self, seconds: float | None, given: Container[int | None]) -> None:
        """https://www.twilio.com/docs/api/errors/90007"""
        ends = None if seconds is None else dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        with Server(self, Signal.TAKEN) as server:
            loop.run(
                self.make(self.settings_for(server.url)).send([replace(self.message(), expires_at=ends)])
            )
        period = parse_qs(server.requests[0][3].decode()).get("ValidityPeriod")
        assert (int(period[0]) if period else None) in given

    @pytest.mark.parametrize(
        ("sender", "field"), [("+15005550007", "From"), ("Shop", "From"), (SERVICE, "MessagingServiceSid")]
    )
    def test_a_message_may_have_a_sender_of_its_own(self, sender: str, field: str) -> None:
        message = replace(self.message(), overrides={"sender": sender})
        with Server(self, Signal.TAKEN) as server:
            loop.run(self.make(self.settings_for(server.url)).send([message]))
        form = parse_qs(server.requests[0][3].decode())
        given = {name: form[name] for name in ("From", "MessagingServiceSid") if name in form}
        assert given == {field: [sender]}

    @pytest.mark.parametrize(
        ("status", "code", "kind", "is_permanent"),
        [
            (400, 21211, ErrorKind.ADDRESS, True),
            (400, 21610, ErrorKind.ADDRESS, True),
            (400, 21614, ErrorKind.ADDRESS, True),
            (400, 21617, ErrorKind.ADDRESS, False),
            (400, 21606, ErrorKind.ACCOUNT, False),
            (400, 21608, ErrorKind.ACCOUNT, False),
            (400, 21612, ErrorKind.ACCOUNT, False),
            (400, 21408, ErrorKind.ACCOUNT, False),
            (403, 20403, ErrorKind.ACCOUNT, False),
            (404, 20404, ErrorKind.ACCOUNT, False),
            (400, 21611, ErrorKind.RATE_LIMITED, False),
            (400, 99999, ErrorKind.ADDRESS, False),
        ],
    )
    def test_it_knows_twilios_codes(
        self, status: int, code: int, kind: ErrorKind, is_permanent: bool
    ) -> None:
        """https://www.twilio.com/docs/api/errors"""
        outcome, _ = self.outcome(error(status, code))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, str(code), is_permanent)

    @pytest.mark.parametrize(
        ("code", "spares"), [(21408, True), (21608, True), (21612, True), (20003, False), (21606, False)]
    )
    def test_it_knows_what_says_nothing_of_other_messages(self, code: int, spares: bool) -> None:
        outcome, _ = self.outcome(error(400, code))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.spares_health) == (ErrorKind.ACCOUNT, spares)

    @pytest.mark.parametrize("answer", [{}, [], {"sid": None}, {"status": "queued"}])
    def test_an_answer_without_a_message_is_unknown(self, answer: Any) -> None:
        outcome, _ = self.outcome(json_answer(201, answer))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    def test_a_receipt_brings_our_reference_back(self) -> None:
        request = self.signed(self.body(), "https://bell.example/webhooks/vendor/1?reference=abc.2")
        (receipt,) = self.make(self.settings()).parse(request)
        assert isinstance(receipt, ParsedReceipt)
        assert receipt.reference == "abc.2"

    def test_a_reply_that_comes_again_has_the_same_id(self) -> None:
        first, again = (self.parsed(REPLY) for _ in range(2))
        assert isinstance(first, Inbound)
        assert first.event_id == again.event_id == REPLY["MessageSid"]

    @pytest.mark.parametrize("missing", ["MessageSid", "From", "To", "SmsStatus"])
    def test_it_refuses_half_a_reply(self, missing: str) -> None:
        with pytest.raises(ReceiptRefused):
            self.parsed({name: value for name, value in REPLY.items() if name != missing})

    @pytest.mark.parametrize("channel", ["whatsapp", "rcs", "messenger"])
    def test_it_refuses_a_reply_by_another_channel(self, channel: str) -> None:
        with pytest.raises(ReceiptRefused, match="another channel"):
            self.parsed({**REPLY, "From": f"{channel}:{self.address}"})

    def parsed(self, body: Mapping[str, str]) -> ParsedReceipt | Inbound:
        (heard,) = self.make(self.settings()).parse(self.signed(body, "https://bell.example/webhooks/1"))
        return heard


def error(status: int, code: int) -> Answer:
    return json_answer(status, {"code": code, "message": "no", "more_info": "", "status": status})
