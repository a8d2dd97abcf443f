from __future__ import annotations

import copy
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from pydantic import ValidationError

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
    Sent,
)
from delivery.providers.whatsapp.meta import MetaWhatsApp
from delivery.tests.contract import (
    RECEIPT_URL,
    RETRY_AFTER,
    SAID,
    Answer,
    HttpContract,
    Server,
    Signal,
    json_answer,
    samples,
)

NUMBER_ID = "106540352242922"
TRACK = Button("https://shop.example/a-17", "Track it")
PICTURE = {"type": "image", "url": "https://shop.example/shoe.jpg"}
INVOICE = {"type": "document", "url": "https://shop.example/17.pdf", "filename": "Invoice 17.pdf"}


class TestMeta(HttpContract):
    provider = MetaWhatsApp
    address = "+16505551234"
    bad_address = "15005550009"  # as Meta is told it
    samples = Path(__file__).parent / "samples" / "meta"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {
            "phone_number_id": NUMBER_ID,
            "access_token": self.secret,
            "app_secret": "the app's",
            "verify_token": "vibecoding",
            "base_url": base_url,
        }

    def message(self, to: str = "") -> Message:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        return replace(super().message(to), window_until=soon, locale="pt-BR")

    def taken(self, number: int) -> Answer:
        """Of a message or of the number: Meta's answers to both have nothing in common."""
        about = {"id": NUMBER_ID, "verified_name": "Shop", "display_phone_number": "+1 555-078-3881"}
        contacts = [{"input": self.address, "wa_id": self.address[1:]}]
        message = {"id": f"wamid.{number}", "message_status": "accepted"}
        return json_answer(
            200, {**about, "messaging_product": "whatsapp", "contacts": contacts, "messages": [message]}
        )

    def refused(self) -> Answer:
        return error(400, 131026)

    def answer(self, signal: Signal, number: int) -> Answer:
        match signal:
            case Signal.BAD_CREDENTIALS:
                return error(401, 190)
            case Signal.TOO_FAST:
                status, headers, said = error(400, 130429)
                return status, {**headers, "Retry-After": str(RETRY_AFTER)}, said
            case _:
                return super().answer(signal, number)

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        said = orjson.dumps(body)
        signature = hmac.new(b"the app's", said, hashlib.sha256).hexdigest()
        return ReceiptRequest("POST", url, {"x-hub-signature-256": f"sha256={signature}"}, said)

    # — what the contract asks, and Meta has another way for

    def test_its_secrets_are_typed_as_such(self) -> None:
        super().test_its_secrets_are_typed_as_such()
        settings = repr(self.provider.Settings(**self.settings_for("https://graph.example")))
        assert not [hidden for hidden in ("the app's", "vibecoding") if hidden in settings]

    def test_it_refuses_another_accounts_signature(self) -> None:
        with pytest.raises(ReceiptRefused):
            self.verify(self.signed(self.body(), RECEIPT_URL), app_secret="another")

    def test_it_refuses_a_receipt_that_is_replayed_to_another_account(self) -> None:
        """The app signs, not the URL: what is told of another number than the account's is passed over."""
        for name in ("1-sent", "4-failed-undeliverable", "reply"):
            body = self.sample(name)
            assert len(self.heard(body)) == 1
            assert self.heard(body, phone_number_id="106540352242923") == []

    # — sending

    def exchanged(self, message: Message, **settings: Any) -> tuple[Sent | ProviderError, Server]:
        with Server(self, Signal.TAKEN) as server:
            provider = self.make({**self.settings_for(server.url), **settings})
            (outcome,) = loop.run(provider.send([message]))
        return outcome, server

    def posted(self, message: Message, **settings: Any) -> dict[str, Any]:
        """What the message is in Meta's document, beside whom it is for."""
        outcome, server = self.exchanged(message, **settings)
        assert isinstance(outcome, Sent)
        document = json.loads(server.requests[0][3])
        assert isinstance(document, dict)
        envelope = ("messaging_product", "recipient_type", "to", "biz_opaque_callback_data", "type")
        kind = document["type"]
        assert [document.pop(name) for name in envelope] == [
            *("whatsapp", "individual", "16505551234"),
            *(message.reference, kind),
        ]
        assert list(document) == [kind]
        return document

    def saying(self, body: str = SAID, **over: Any) -> Message:
        return replace(self.message(), content=Content(body=body), **over)

    def test_it_speaks_the_cloud_api(self) -> None:
        outcome, server = self.exchanged(self.message())
        ((method, path, headers, body),) = server.requests
        assert (method, path) == ("POST", f"/v26.0/{NUMBER_ID}/messages")
        assert headers["Authorization"] == f"Bearer {self.secret}"
        assert json.loads(body)["text"] == {"body": SAID, "preview_url": False}
        assert outcome == Sent("wamid.1", "accepted", outcome.latency_ms)

    def test_it_asks_about_the_number(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            loop.run(self.make(self.settings_for(f"{server.url}/")).check())
        ((method, path, _, _),) = server.requests
        fields = "fields=verified_name,display_phone_number,quality_rating"
        assert (method, path) == ("GET", f"/v26.0/{NUMBER_ID}?{fields}")

    @pytest.mark.parametrize("answer", [{}, [], {"id": "1"}])
    def test_its_check_wants_a_number(self, answer: Any) -> None:
        with Server(self, Signal.TAKEN, always=json_answer(200, answer)) as server:
            provider = self.make(self.settings_for(server.url))
            with pytest.raises(ProviderError, match="the answer"):
                loop.run(provider.check())

    @pytest.mark.parametrize("previews", [True, False])
    def test_it_shows_where_links_lead_if_it_may(self, previews: bool) -> None:
        message = self.saying("Reset it: https://shop.example/reset/1")
        assert self.posted(message, previews=previews)["text"]["preview_url"] is previews
        assert self.posted(self.saying("No link"), previews=previews)["text"]["preview_url"] is False

    @pytest.mark.parametrize("minutes", [None, -1, 0])
    def test_outside_the_window_it_writes_nothing_of_its_own(self, minutes: int | None) -> None:
        now = dt.datetime.now(dt.UTC)
        until = None if minutes is None else now + dt.timedelta(minutes=minutes)
        for said in ({}, {"media": PICTURE}):
            outcome, server = self.exchanged(self.saying(window_until=until, overrides=said))
            assert isinstance(outcome, ProviderError)
            assert (outcome.kind, outcome.code, outcome.permanent) == (
                ErrorKind.ADDRESS,
                "window_closed",
                False,
            )
            assert server.requests == []

    def test_a_template_needs_no_window(self) -> None:
        template = {"name": "order_shipped", "parameters": ["Ann", "A-17"]}
        document = self.posted(self.saying(window_until=None, overrides={"template": template}))
        texts = [{"type": "text", "text": "Ann"}, {"type": "text", "text": "A-17"}]
        assert document["template"] == {
            "name": "order_shipped",
            "language": {"code": "pt_BR"},
            "components": [{"type": "body", "parameters": texts}],
        }

    def test_a_template_goes_before_words_media_and_button(self) -> None:
        said = {"template": {"name": "hello", "language": "en"}, "media": PICTURE}
        document = self.posted(self.saying(overrides=said, action=TRACK))
        assert document == {"template": {"name": "hello", "language": {"code": "en"}}}

    def test_a_templates_own_components_are_metas(self) -> None:
        header = {"type": "header", "parameters": [{"type": "image", "image": {"link": PICTURE["url"]}}]}
        template = {"name": "sale", "language": "de", "parameters": ["7"], "components": [header]}
        components = self.posted(self.saying(overrides={"template": template}))["template"]["components"]
        assert components == [header, {"type": "body", "parameters": [{"type": "text", "text": "7"}]}]

    def test_media_has_the_words_as_its_caption(self) -> None:
        assert self.posted(self.saying(overrides={"media": PICTURE})) == {
            "image": {"link": PICTURE["url"], "caption": SAID}
        }
        assert self.posted(self.saying(overrides={"media": {**PICTURE, "caption": "A shoe"}})) == {
            "image": {"link": PICTURE["url"], "caption": "A shoe"}
        }
        assert self.posted(self.saying("", overrides={"media": PICTURE})) == {
            "image": {"link": PICTURE["url"]}
        }

    def test_only_a_document_has_a_name(self) -> None:
        assert self.posted(self.saying(overrides={"media": INVOICE}))["document"]["filename"] == (
            "Invoice 17.pdf"
        )
        video = {**INVOICE, "type": "video"}
        assert "filename" not in self.posted(self.saying(overrides={"media": video}))["video"]

    def test_a_button_stands_under_the_words(self) -> None:
        interactive = self.posted(self.saying(action=TRACK))["interactive"]
        leads = {"display_text": "Track it", "url": TRACK.url}
        assert interactive == {
            "type": "cta_url",
            "body": {"text": SAID},
            "action": {"name": "cta_url", "parameters": leads},
        }

    def test_a_button_may_have_media_above(self) -> None:
        interactive = self.posted(self.saying(action=TRACK, overrides={"media": INVOICE}))["interactive"]
        document = {"link": INVOICE["url"], "filename": "Invoice 17.pdf"}
        assert interactive["header"] == {"type": "document", "document": document}

    @pytest.mark.parametrize(("body", "text"), [("x" * 1025, "Track it"), ("Hi", "x" * 21), ("", "Track it")])
    def test_a_button_that_does_not_fit_is_a_link(self, body: str, text: str) -> None:
        message = self.saying(body, action=Button(TRACK.url, text))
        assert self.posted(message)["text"]["body"] == f"{body}\n\n{TRACK.url}".strip()

    # — errors

    def outcome(self, answer: Answer) -> ProviderError:
        with Server(self, Signal.TAKEN, always=answer) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        return outcome

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (401, 0, ErrorKind.ACCOUNT),
            (500, 3, ErrorKind.ACCOUNT),
            (403, 10, ErrorKind.ACCOUNT),
            (400, 33, ErrorKind.ACCOUNT),
            (403, 200, ErrorKind.ACCOUNT),
            (403, 299, ErrorKind.ACCOUNT),
            (403, 368, ErrorKind.ACCOUNT),
            (403, 131031, ErrorKind.ACCOUNT),
            (400, 131042, ErrorKind.ACCOUNT),
            (400, 131048, ErrorKind.ACCOUNT),
            (400, 133010, ErrorKind.ACCOUNT),
            (400, 4, ErrorKind.RATE_LIMITED),
            (400, 80007, ErrorKind.RATE_LIMITED),
            (400, 131056, ErrorKind.RATE_LIMITED),
            (500, 131000, ErrorKind.TRANSIENT),
            (503, 2, ErrorKind.TRANSIENT),
            (500, 131016, ErrorKind.TRANSIENT),
            (503, 133004, ErrorKind.TRANSIENT),
            (400, 100, ErrorKind.ADDRESS),
            (400, 131049, ErrorKind.ADDRESS),
            (400, 131050, ErrorKind.ADDRESS),
            (400, 131053, ErrorKind.ADDRESS),
            (400, 132000, ErrorKind.ADDRESS),
            (400, 132012, ErrorKind.ADDRESS),
            (400, 199999, ErrorKind.ADDRESS),
            (500, 199999, ErrorKind.TRANSIENT),
        ],
    )
    def test_it_knows_metas_codes(self, status: int, code: int, kind: ErrorKind) -> None:
        """https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""
        outcome = self.outcome(error(status, code))
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, str(code), False)
        assert outcome.message == "No, because"

    @pytest.mark.parametrize(
        ("code", "is_spared"), [(132001, True), (132015, True), (130497, True), (131031, False)]
    )
    def test_a_template_that_an_account_lacks_takes_no_health_from_it(
        self, code: int, is_spared: bool
    ) -> None:
        outcome = self.outcome(error(404, code))
        assert (outcome.kind, outcome.spares_health) == (ErrorKind.ACCOUNT, is_spared)

    def test_metas_own_view_of_the_window_is_ours(self) -> None:
        assert self.outcome(error(400, 131047)).code == "window_closed"

    def test_a_number_that_is_not_the_tokens_is_the_accounts_fault(self) -> None:
        """https://developers.facebook.com/docs/graph-api/guides/error-handling"""
        outcome = self.outcome(error(400, 100, error_subcode=33))
        assert (outcome.kind, outcome.code) == (ErrorKind.ACCOUNT, "100")

    @pytest.mark.parametrize(
        "answer",
        [{}, [], {"messages": []}, {"messages": [{}]}, {"messages": [{"id": ""}]}, {"messages": {"id": "1"}}],
    )
    def test_an_answer_without_a_message_is_unknown(self, answer: Any) -> None:
        outcome = self.outcome(json_answer(200, answer))
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    @pytest.mark.parametrize("said", [{}, [], {"error": "no"}, {"error": {}}, {"error": {"code": "x"}}])
    def test_an_error_without_a_code_is_its_status(self, said: Any) -> None:
        outcome = self.outcome(json_answer(400, said))
        assert (outcome.kind, outcome.code) == (ErrorKind.ADDRESS, "400")

    # — what Meta posts

    def sample(self, name: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.samples / f"{name}.json").read_text())["body"]
        return body

    def heard(self, body: Any, **settings: Any) -> list[ParsedReceipt | Inbound]:
        provider = self.make({**self.settings(), **settings})
        return list(provider.parse(ReceiptRequest("POST", RECEIPT_URL, {}, orjson.dumps(body))))

    def test_a_receipt_brings_our_reference_back(self) -> None:
        (receipt,) = self.heard(self.sample("2-delivered"))
        assert isinstance(receipt, ParsedReceipt)
        assert receipt.reference == "a2f24a5e-4b0f-4d1c-9f8e-0d3c7c3a9b11.1"
        assert receipt.occurred_at == dt.datetime(2025, 6, 15, 23, 27, 53, tzinfo=dt.UTC)

    def test_each_status_of_a_message_is_an_event(self) -> None:
        events = [self.heard(self.sample(name))[0].event_id for name in ("1-sent", "2-delivered", "3-read")]
        assert len(set(events)) == 3
        assert self.heard(self.sample("1-sent"))[0].event_id == events[0]

    def test_one_post_holds_many_things_of_many_numbers(self) -> None:
        body = self.sample("1-sent")
        (value,) = (change["value"] for change in body["entry"][0]["changes"])
        value["statuses"] *= 2
        body["entry"] += self.sample("reply")["entry"] + self.sample("3-read")["entry"]
        other = copy.deepcopy(self.sample("2-delivered")["entry"])
        other[0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "1"
        body["entry"][0]["changes"] += other[0]["changes"]
        found = [getattr(item, "status", None) or getattr(item, "text", "") for item in self.heard(body)]
        assert found == ["sent", "sent", "opened", "Does it come in another color?"]

    def test_it_reads_around_what_it_does_not_know(self) -> None:
        body = self.sample("1-sent")
        value = body["entry"][0]["changes"][0]["value"]
        value["statuses"] += [{}, "sent", {"id": "1"}, {"id": 1, "status": ["sent"]}]
        value["messages"] = [None, {"id": "1", "type": ["text"]}]
        value["errors"] = [{"code": 131000}]
        body["entry"] += [7, {"changes": {}}, {"changes": [{"field": "messages"}]}]
        assert len(self.heard(body)) == 1

    @pytest.mark.parametrize(
        "field", ["message_template_status_update", "account_alerts", "phone_number_quality_update", "calls"]
    )
    def test_other_news_says_nothing(self, field: str) -> None:
        body = self.sample("1-sent")
        body["entry"][0]["changes"] = [{"field": field, "value": {"event": "APPROVED"}}]
        assert self.heard(body) == []

    @pytest.mark.parametrize("body", [[], None, "x", {}, {"object": "page", "entry": []}])
    def test_what_is_about_something_else_is_refused(self, body: Any) -> None:
        with pytest.raises(ReceiptRefused):
            self.heard(body)

    @pytest.mark.parametrize(
        "over",
        [{"type": "system", "system": {"body": "changed their number"}}, {"from": None}, {"from": "US.134"}],
    )
    def test_what_nobody_said_or_somebody_without_a_number_is_no_reply(self, over: dict[str, Any]) -> None:
        body = self.sample("reply")
        body["entry"][0]["changes"][0]["value"]["messages"][0] |= over
        assert self.heard(body) == []

    def test_a_reply_says_when_it_was_written(self) -> None:
        (reply,) = self.heard(self.sample("reply"))
        assert reply.occurred_at == dt.datetime(2025, 6, 8, 20, 59, 43, tzinfo=dt.UTC)

    def test_every_sample_is_of_metas(self) -> None:
        for sample in samples(self.samples):
            assert sample["source"].startswith("https://developers.facebook.com/"), sample

    # — the challenge

    def challenged(self, **query: str) -> str:
        url = f"{RECEIPT_URL}?{urlencode(query)}"
        return self.make(self.settings()).challenge(ReceiptRequest("GET", url, {}, b""))

    def test_it_answers_the_challenge(self) -> None:
        """…/webhooks/create-webhook-endpoint#get-requests"""
        query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "vibecoding"}
        assert self.challenged(**query) == "1158201444"

    @pytest.mark.parametrize(
        "over", [{"hub.verify_token": "another"}, {"hub.verify_token": "ü"}, {"hub.mode": "unsubscribe"}]
    )
    def test_it_answers_nobody_elses(self, over: dict[str, str]) -> None:
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "vibecoding"}
        with pytest.raises(ReceiptRefused):
            self.challenged(**{**query, **over})
        with pytest.raises(ReceiptRefused):
            self.challenged()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("phone_number_id", "+15550783881"),
            ("version", "26"),
            ("app_secret", ""),
            ("verify_token", ""),
            ("base_url", "graph.facebook.com"),
        ],
    )
    def test_it_says_which_settings_are_none(self, field: str, value: str) -> None:
        with pytest.raises(ValidationError, match=field):
            MetaWhatsApp.Settings(**{**self.settings_for("https://graph.example"), field: value})


def error(status: int, code: int, **over: Any) -> Answer:
    details = {"messaging_product": "whatsapp", "details": "No, because"}
    told = {"message": f"(#{code}) No", "type": "OAuthException", "code": code, "error_data": details}
    return json_answer(status, {"error": {**told, "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam", **over}})
