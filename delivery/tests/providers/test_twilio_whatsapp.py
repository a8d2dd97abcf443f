from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from pydantic import ValidationError
from twilio.request_validator import RequestValidator

from delivery import loop
from delivery.providers.base import (
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    Sent,
)
from delivery.providers.whatsapp.twilio import TwilioWhatsApp
from delivery.tests.contract import RECEIPT_URL, SAID, Answer, HttpContract, Server, Signal, json_answer
from delivery.tests.providers.test_twilio import SERVICE, SID, error

ORDER_SHIPPED = "HX00000000000000000000000000000001"
GERMAN = f"HX{'2' * 32}"
OTHER = f"HX{'3' * 32}"
SOON = dt.timedelta(hours=1)
PICTURE = {"type": "image", "url": "https://shop.example/shoe.jpg"}


class TestTwilioWhatsApp(HttpContract):
    provider = TwilioWhatsApp
    address = "+15005550010"
    bad_address = "+15005550009"
    samples = Path(__file__).parent / "samples" / "twilio_whatsapp"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        token = {"account_sid": SID, "auth_token": self.secret}
        return {**token, "sender": "+15005550006", "base_url": base_url}

    def message(self, to: str = "") -> Message:
        return replace(super().message(to), window_until=dt.datetime.now(dt.UTC) + SOON)

    def taken(self, number: int) -> Answer:
        return json_answer(201, {"sid": f"SM{number:032d}", "status": "queued"})

    def refused(self) -> Answer:
        return error(400, 21211)

    def answer(self, signal: Signal, number: int) -> Answer:
        return error(401, 20003) if signal is Signal.BAD_CREDENTIALS else super().answer(signal, number)

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        signature = RequestValidator(self.secret).compute_signature(url, body)
        return ReceiptRequest("POST", url, {"x-twilio-signature": signature}, urlencode(body).encode())

    def posted(self, message: Message, **settings: Any) -> dict[str, str]:
        """The form that Twilio gets, without what names the message's receipts."""
        with Server(self, Signal.TAKEN) as server:
            provider = self.make({**self.settings_for(server.url), **settings})
            (outcome,) = loop.run(provider.send([message]))
        assert isinstance(outcome, Sent)
        form = dict(parse_qsl(server.requests[0][3].decode(), keep_blank_values=True))
        assert form.pop("StatusCallback") == f"{RECEIPT_URL}?reference={message.reference}"
        return form

    def uncalled(self, message: Message) -> ProviderError:
        """The error of one that Twilio is not asked about."""
        with Server(self, Signal.TAKEN) as server:
            (outcome,) = loop.run(self.make(self.settings_for(server.url)).send([message]))
        assert isinstance(outcome, ProviderError)
        assert server.requests == []
        return outcome

    # — words of one's own

    def test_it_writes_freely_while_the_window_is_open(self) -> None:
        assert self.posted(self.message()) == {
            "To": f"whatsapp:{self.address}",
            "From": "whatsapp:+15005550006",
            "Body": SAID,
        }

    def test_it_sends_by_a_messaging_service(self) -> None:
        form = self.posted(self.message(), sender=SERVICE)
        assert form == {"To": f"whatsapp:{self.address}", "MessagingServiceSid": SERVICE, "Body": SAID}

    @pytest.mark.parametrize("window", [None, -SOON, dt.timedelta(0)])
    @pytest.mark.parametrize("overrides", [{}, {"media": PICTURE}])
    def test_it_does_not_when_it_is_closed(
        self, window: dt.timedelta | None, overrides: dict[str, Any]
    ) -> None:
        until = None if window is None else dt.datetime.now(dt.UTC) + window
        refusal = self.uncalled(replace(self.message(), window_until=until, overrides=overrides))
        assert (refusal.kind, refusal.code, refusal.permanent) == (ErrorKind.ADDRESS, "window_closed", False)

    @pytest.mark.parametrize("body", [SAID, ""])
    def test_it_sends_a_picture_with_the_words(self, body: str) -> None:
        message = replace(self.message(), content=Content(body=body), overrides={"media": PICTURE})
        form = self.posted(message)
        assert form["MediaUrl"] == PICTURE["url"]
        assert form.get("Body", "") == body

    def test_a_pictures_own_words_go_first(self) -> None:
        overrides = {"media": {**PICTURE, "caption": "Your shoe"}}
        assert self.posted(replace(self.message(), overrides=overrides))["Body"] == "Your shoe"

    # — templates

    def template(self, **over: Any) -> Message:
        template = {"name": ORDER_SHIPPED, "parameters": [], **over}
        return replace(self.message(), window_until=None, overrides={"template": template})

    def variables(self, **over: Any) -> dict[str, str]:
        variables: dict[str, str] = json.loads(self.posted(self.template(**over))["ContentVariables"])
        return variables

    def test_a_template_needs_no_window_and_no_words(self) -> None:
        """https://www.twilio.com/docs/api/errors/63016: "Remove Body and MediaUrl" """
        form = self.posted(self.template(language="en"))
        assert form == {
            "To": f"whatsapp:{self.address}",
            "From": "whatsapp:+15005550006",
            "ContentSid": ORDER_SHIPPED,
        }

    def test_it_numbers_the_parameters(self) -> None:
        assert self.variables(parameters=["Ann", "A-17 ☕"]) == {"1": "Ann", "2": "A-17 ☕"}

    def test_those_of_components_are_numbered_on(self) -> None:
        """https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview"""
        components = [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": PICTURE["url"]}}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "A-17"},
                    {"type": "currency", "currency": {"fallback_value": "€ 12", "code": "EUR"}},
                    {"type": "date_time", "date_time": {"fallback_value": "1 May"}},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "stop"}],
            },
            {"type": "footer"},
        ]
        assert self.variables(parameters=["Ann"], components=components) == {
            "1": "Ann",
            "2": PICTURE["url"],
            "3": "A-17",
            "4": "€ 12",
            "5": "1 May",
            "6": "stop",
        }

    def test_those_that_have_a_name_keep_it(self) -> None:
        named = {"type": "text", "parameter_name": "order", "text": "A-17"}
        components = [{"type": "body", "parameters": [named, {"type": "text", "text": "Ann"}]}]
        assert self.variables(components=components) == {"order": "A-17", "1": "Ann"}

    @pytest.mark.parametrize(
        ("named", "used"),
        [
            ({"language": "de"}, GERMAN),
            ({"language": "en"}, ORDER_SHIPPED),
            ({}, ORDER_SHIPPED),
            ({"name": OTHER}, OTHER),
        ],
    )
    def test_a_name_of_metas_is_looked_up(self, named: dict[str, str], used: str) -> None:
        known = {"order_shipped": ORDER_SHIPPED, "order_shipped/de": GERMAN}
        form = self.posted(self.template(**{"name": "order_shipped", **named}), content_sids=known)
        assert form["ContentSid"] == used

    def test_a_name_that_is_no_content_sid_is_not_sent(self) -> None:
        refusal = self.uncalled(self.template(name="order_shipped"))
        assert (refusal.kind, refusal.code) == (ErrorKind.ACCOUNT, "not_a_content_sid")
        assert refusal.spares_health

    @pytest.mark.parametrize(
        "parameters",
        [
            [{"type": "location", "location": {"latitude": 52.5, "longitude": 13.4}}],
            [{"type": "image", "image": {"id": "1234"}}],
            [{"type": "text", "text": 17}],
            [{"text": "Ann"}],
            [{"type": ["text"]}],
            ["Ann"],
            "Ann",
            7,
        ],
    )
    def test_what_no_variable_can_hold_is_not_sent(self, parameters: Any) -> None:
        refusal = self.uncalled(self.template(components=[{"type": "body", "parameters": parameters}]))
        assert (refusal.kind, refusal.code) == (ErrorKind.ACCOUNT, "not_a_variable")
        assert refusal.spares_health

    # — what Twilio answers

    @pytest.mark.parametrize(
        ("code", "kind", "as_code", "is_permanent"),
        [
            (63016, ErrorKind.ADDRESS, "window_closed", False),
            (63003, ErrorKind.ADDRESS, "63003", True),
            (63024, ErrorKind.ADDRESS, "63024", False),
            (63007, ErrorKind.ACCOUNT, "63007", False),
            (63018, ErrorKind.RATE_LIMITED, "63018", False),
            (21655, ErrorKind.ACCOUNT, "21655", False),
            (21656, ErrorKind.ADDRESS, "21656", False),
            (21910, ErrorKind.ACCOUNT, "21910", False),
            (21610, ErrorKind.ADDRESS, "21610", True),
        ],
    )
    def test_it_knows_twilios_codes(
        self, code: int, kind: ErrorKind, as_code: str, is_permanent: bool
    ) -> None:
        with Server(self, Signal.TAKEN, always=error(400, code)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, as_code, is_permanent)

    # — settings, receipts and replies

    @pytest.mark.parametrize("sender", ["Shop", "whatsapp:+15005550006", "MG1", ""])
    def test_its_sender_is_a_number_or_a_service(self, sender: str) -> None:
        with pytest.raises(ValidationError):
            self.make({**self.settings(), "sender": sender})

    def test_a_receipt_brings_our_reference_back(self) -> None:
        request = self.signed(self.body(), f"{RECEIPT_URL}?reference=abc.2")
        (receipt,) = self.make(self.settings()).parse(request)
        assert isinstance(receipt, ParsedReceipt)
        assert receipt.reference == "abc.2"

    def test_it_refuses_a_text_message(self) -> None:
        told = {"MessageSid": "SM1", "From": self.address, "To": "+15005550006", "SmsStatus": "received"}
        provider = self.make(self.settings())
        with pytest.raises(ReceiptRefused, match="another channel"):
            provider.parse(self.signed(told, RECEIPT_URL))
        written = {**told, "From": f"whatsapp:{self.address}", "To": "whatsapp:+15005550006"}
        (heard,) = provider.parse(self.signed(written, RECEIPT_URL))
        assert isinstance(heard, Inbound)
        assert (heard.sender, heard.to, heard.text) == (self.address, "+15005550006", "")
