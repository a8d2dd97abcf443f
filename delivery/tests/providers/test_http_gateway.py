from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from delivery import loop
from delivery.providers.base import (
    Content,
    ErrorKind,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms.http_gateway import HttpGateway
from delivery.tests.contract import RECEIPT_URL, Answer, HttpContract, Server, Signal, json_answer

RULES = [
    {"matches": "code == `21` || error == `21`", "kind": "address", "permanent": True, "code": "bad_number"},
    {"status": "4xx", "matches": "/no credit/", "kind": "account", "code": "credit"},
    {"status": 409, "kind": "rate_limited"},
    {"status": "420-423, 425", "kind": "rate_limited"},
]
NASTY = 'a"b\\c&d=e {to}{secret} +%0a\r\n<ü>🔔'


class TestHttpGateway(HttpContract):
    provider = HttpGateway
    address = "+15005550010"
    bad_address = "+15005550009"
    samples = Path(__file__).parent / "samples" / "http"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {
            "url": f"{base_url}/messages",
            "headers": {"X-Api-Key": "{secret}"},
            "secret": self.secret,
            "sender": "Shop",
            "message_id": "id",
            "errors": RULES,
            "check_url": f"{base_url}/balance",
            "receipt_proof": "hmac_sha256",
            "receipt_fields": {"message_id": "id", "status": "status", "code": "error"},
        }

    def taken(self, number: int) -> Answer:
        return json_answer(201, {"status": "accepted", "id": f"m-{number}"})

    def refused(self) -> Answer:
        return json_answer(400, {"status": "error", "code": 21})

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        said = orjson.dumps(body)
        signature = hmac.new(self.secret.encode(), said, hashlib.sha256).hexdigest()
        return ReceiptRequest("POST", url, {"x-signature": signature}, said)

    def test_it_refuses_a_receipt_that_is_replayed_to_another_account(self) -> None:
        """The body alone is signed: each account has a secret of its own, and none believes without proof."""
        request = self.signed(self.body(), RECEIPT_URL)
        for over in ({"receipt_proof": "none"}, {"receipt_secret": "of receipts"}):
            with pytest.raises(ReceiptRefused):
                self.verify(request, **over)

    def asked(self, answer: Answer | None = None, **over: Any) -> tuple[Sent | ProviderError, Any]:
        """The outcome of a nasty message, and the request that it made."""
        with Server(self, Signal.TAKEN, always=answer) as server:
            settings = self.settings_for(server.url)
            over = {name: fill_in(value, server.url) for name, value in over.items()}
            message = replace(self.message(), content=Content(body=NASTY))
            (outcome,) = loop.run(self.make({**settings, **over}).send([message]))
        return outcome, server.requests[0]

    # — what is asked

    def test_it_posts_json(self) -> None:
        outcome, (method, path, headers, body) = self.asked()
        assert (method, path, headers["X-Api-Key"]) == ("POST", "/messages", self.secret)
        assert headers["Content-Type"] == "application/json"
        assert json.loads(body) == {"to": self.address, "text": NASTY, "from": "Shop"}
        assert outcome == Sent("m-1", "HTTP 201", outcome.latency_ms)

    def test_it_fills_in_at_any_depth(self) -> None:
        deep = {"messages": [{"to": ["{to_digits}"], "body": "<{text}>", "n": 1, "flash": False, "x": None}]}
        _, (_, _, _, body) = self.asked(parameters=deep)
        said = {"to": ["15005550010"], "body": f"<{NASTY}>", "n": 1, "flash": False, "x": None}
        assert json.loads(body) == {"messages": [said]}

    def test_it_posts_a_form(self) -> None:
        parameters = {"to": "{to}", "text": "{text}", "key": "{secret}", "parts": 3}
        _, (method, path, headers, body) = self.asked(encoding="form", parameters=parameters)
        assert (method, path) == ("POST", "/messages")
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = parse_qs(body.decode(), strict_parsing=True)
        assert form == {"to": [self.address], "text": [NASTY], "key": [self.secret], "parts": ["3"]}

    @pytest.mark.parametrize("path", ["/messages", "/messages?user=me"])
    def test_it_asks_in_the_url(self, path: str) -> None:
        _, (method, asked, _, body) = self.asked(method="GET", encoding="query", url=f"BASE{path}")
        said = dict(parse_qsl(urlsplit(asked).query, strict_parsing=True))
        assert (method, body, urlsplit(asked).path) == ("GET", b"", "/messages")
        assert (said["to"], said["text"], said["from"]) == (self.address, NASTY, "Shop")
        assert ("user" in said) is ("user" in path)

    def test_what_stands_in_the_url_is_encoded_for_it(self) -> None:
        _, (_, path, _, _) = self.asked(url="BASE/to/{to}/{text}?key={secret}", parameters={"text": "{text}"})
        assert path.startswith("/to/%2B15005550010/a%22b%5Cc%26d%3De%20%7Bto%7D%7Bsecret%7D%20%2B%250a%0D%0A")
        assert path.endswith(f"?key={self.secret}")

    def test_the_message_may_say_who_sends(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            message = replace(self.message(), overrides={"sender": "Other"})
            loop.run(self.make(self.settings_for(server.url)).send([message]))
        assert json.loads(server.requests[0][3])["from"] == "Other"

    def test_it_says_where_receipts_go(self) -> None:
        parameters = {"to": "{to}", "text": "{text}", "ref": "{reference}", "dlr": "{receipt_url}"}
        _, (_, _, _, body) = self.asked(
            parameters=parameters, receipt_proof="parameter", receipt_place="token", receipt_secret="a&b"
        )
        said = json.loads(body)
        assert said["dlr"] == f"{RECEIPT_URL}?reference={said['ref']}&token=a%26b"

    # — what is answered

    @pytest.mark.parametrize(
        ("expression", "id"),
        [
            ("id", "m-7"),
            ("messages[0].number", "7"),
            ("messages[?number == `7`] | [0].id", "x-7"),
            (r"/id:(\S+)/", "m-7"),
            (r"/m-\d/", "m-7"),
        ],
    )
    def test_it_finds_the_messages_id(self, expression: str, id: str) -> None:
        said = {"id": "m-7", "messages": [{"number": 7, "id": "x-7"}], "plain": "id:m-7 "}
        outcome, _ = self.asked(json_answer(200, said), message_id=expression)
        assert isinstance(outcome, Sent)
        assert outcome.message_id == id

    @pytest.mark.parametrize(
        ("success", "body", "kind"),
        [
            ("status == 'ok'", b'{"status": "ok"}', None),
            ("status == 'ok'", b'{"status": "no"}', ErrorKind.ADDRESS),
            ("status == 'ok'", b"OK", ErrorKind.UNKNOWN),
            ("length(status) > `1`", b'{"status": 7}', ErrorKind.ADDRESS),
            ("/^OK/", b"OK 17", None),
            ("/^OK/", b"ERR 17", ErrorKind.ADDRESS),
            ("/(?i)ok|accepted/", b"Accepted", None),
        ],
    )
    def test_the_answer_decides_whether_it_was_taken(
        self, success: str, body: bytes, kind: ErrorKind | None
    ) -> None:
        outcome, _ = self.asked((200, {}, body), success=success)
        assert (outcome.kind if isinstance(outcome, ProviderError) else None) is kind

    @pytest.mark.parametrize("body", [b"{}", b'{"id": null}', b'{"id": ""}', b'{"id": [1]}', b"[]", b"true"])
    def test_an_answer_without_an_id_is_unknown(self, body: bytes) -> None:
        outcome, _ = self.asked((200, {}, body))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    def test_no_id_is_missed_where_none_is_looked_for(self) -> None:
        outcome, _ = self.asked((200, {}, b"thanks"), message_id="")
        assert isinstance(outcome, Sent)
        assert outcome.message_id == ""

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code", "is_permanent"),
        [
            (400, b'{"code": 21}', ErrorKind.ADDRESS, "bad_number", True),
            (200, b'{"code": 21}', ErrorKind.ADDRESS, "bad_number", True),
            (403, b"no credit left", ErrorKind.ACCOUNT, "credit", False),
            (200, b'{"id": "no credit"}', None, "", False),
            (422, b"", ErrorKind.RATE_LIMITED, "422", False),
            (409, b"", ErrorKind.RATE_LIMITED, "409", False),
            (400, b'{"code": 22}', ErrorKind.ADDRESS, "400", False),
            (204, b"", ErrorKind.ACCOUNT, "204", False),
        ],
    )
    def test_rules_say_what_went_wrong(
        self, status: int, body: bytes, kind: ErrorKind | None, code: str, is_permanent: bool
    ) -> None:
        outcome, _ = self.asked((status, {"Retry-After": "3"}, body), success_statuses="200,201")
        if kind is None:
            assert isinstance(outcome, Sent)
            return
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, code, is_permanent)
        assert outcome.retry_after == 3

    def test_an_expression_cannot_take_long(self) -> None:
        """A backtracking engine would take years."""
        outcome, _ = self.asked((200, {}, b"a" * 60_000 + b"b"), success="/^(a+)+$/")
        assert isinstance(outcome, ProviderError)
        assert outcome.code == "not_taken"

    # — the test of a connection

    def test_its_check_asks_with_the_same_headers(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            over = {"check_url": f"{server.url}/balance?key={{secret}}"}
            loop.run(self.make({**self.settings_for(server.url), **over}).check())
        ((method, path, headers, _),) = server.requests
        assert (method, path) == ("GET", f"/balance?key={self.secret}")
        assert headers["X-Api-Key"] == self.secret

    def test_without_a_url_its_check_finds_out_whether_anybody_is_there(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            here = {**self.settings_for(server.url), "check_url": ""}
            loop.run(self.make(here).check())
        assert server.requests == []
        with self.vendor(Signal.AWAY) as away, pytest.raises(ProviderError) as failure:
            loop.run(self.make({**away, "check_url": ""}).check())
        assert failure.value.kind is ErrorKind.TRANSIENT

    # — settings

    @pytest.mark.parametrize(
        ("over", "words"),
        [
            ({"url": "ftp://gw.example"}, "url"),
            ({"url": "https://{to}.example/"}, "it names no host"),
            ({"url": "https:///send"}, "it names no host"),
            ({"url": "https://gw.example/{fon}"}, "{fon} is no placeholder; there are {to}"),
            ({"parameters": {"to": "{to}"}}, "neither URL nor parameters hold {text}"),
            ({"parameters": {"text": "{text}"}}, "neither URL nor parameters hold {to}"),
            ({"parameters": {"to": "{to}", "text": "{txt}"}}, "{txt} is no placeholder"),
            ({"parameters": {"a": [{"b": "{nope}"}]}}, "{nope} is no placeholder"),
            ({"secret": None}, "{secret} is to be filled in, and there is none"),
            ({"secret": "a\nb"}, "line breaks"),
            ({"headers": {"Authorization": "Bearer abc"}}, "write {secret} for the credential"),
            ({"headers": {"X-Api-Key": "abc"}}, "write {secret} for the credential"),
            ({"headers": {"X Y": "1"}}, "X Y is no header"),
            ({"headers": {"X-Y": "1\r\nX-Z: 2"}}, "X-Y is no header"),
            ({"headers": {"X-Y": "{text}"}}, "X-Y is no header"),
            ({"encoding": "form", "parameters": {"to": ["{to}"], "text": "{text}"}}, "texts and numbers"),
            ({"method": "GET"}, "a GET has no body"),
            ({"success_statuses": "2OO"}, "'2OO' is no status such as"),
            ({"success_statuses": ""}, "success_statuses"),
            ({"success": "status ="}, "neither a JMESPath nor a /regular expression/"),
            ({"success": "/(/"}, "is no regular expression: missing"),
            ({"message_id": "a["}, "neither a JMESPath"),
            ({"errors": [{"kind": "address"}]}, "a rule needs a status or"),
            ({"errors": [{"status": "400", "kind": "sad"}]}, "errors"),
            ({"errors": [{"status": "400", "kind": "account", "permanent": True}]}, "only what is wrong"),
            ({"errors": [{"status": "400", "matches": "/[/", "kind": "account"}]}, "no regular expression"),
            ({"receipt_fields": {"id": "id"}}, "id is none of code, items"),
            ({"receipt_fields": {"status": "/(/"}}, "no regular expression"),
            ({"receipt_statuses": {"0": "arrived"}}, "receipt_statuses"),
            ({"headers": {}, "secret": None}, "receipts are to show a secret, and there is none"),
        ],
    )
    def test_it_says_what_is_wrong_with_settings(self, over: dict[str, Any], words: str) -> None:
        with pytest.raises(ValidationError) as error:
            HttpGateway.Settings(**{**self.settings_for("https://gw.example"), **over})
        assert words in str(error.value)

    def test_few_settings_are_enough(self) -> None:
        settings = HttpGateway.Settings.model_validate({"url": "https://gw.example/send"})
        assert settings.parameters == {"to": "{to}", "text": "{text}", "from": "{sender}"}
        again = HttpGateway.Settings(**settings.model_dump(mode="json"))
        assert again == settings

    def test_what_was_saved_can_be_read_again(self) -> None:
        settings = HttpGateway.Settings(**self.settings_for("https://gw.example"))
        saved = settings.model_dump(mode="json", exclude={"secret", "receipt_secret"})
        assert HttpGateway.Settings(**{**saved, "secret": SecretStr(self.secret)}) == settings

    # — receipts

    def parsed(self, request: ReceiptRequest, **over: Any) -> list[ParsedReceipt]:
        provider = self.make({**self.settings(), **over})
        assert isinstance(provider, HttpGateway)
        return [told for told in provider.parse(request) if isinstance(told, ParsedReceipt)]

    @pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
    def test_it_takes_a_signature_however_it_is_spelled(self, algorithm: str) -> None:
        body = orjson.dumps(self.body())
        digest = hmac.digest(self.secret.encode(), body, algorithm)
        plain = [digest.hex(), base64.b64encode(digest).decode()]
        for spelled in [*plain, *(f"{algorithm}={one}" for one in plain)]:
            request = ReceiptRequest("POST", RECEIPT_URL, {"x-sig": spelled}, body)
            self.verify(request, receipt_proof=f"hmac_{algorithm}", receipt_place="X-Sig")
            with pytest.raises(ReceiptRefused):
                self.verify(replace(request, body=body + b" "), receipt_proof=f"hmac_{algorithm}")

    def test_nothing_signs_no_body(self) -> None:
        signature = hmac.new(self.secret.encode(), b"", hashlib.sha256).hexdigest()
        url = f"{RECEIPT_URL}?id=a1&status=delivered"
        with pytest.raises(ReceiptRefused):
            self.verify(ReceiptRequest("GET", url, {"x-signature": signature}, b""))

    @pytest.mark.parametrize(
        ("given", "holds"), [("token-1", True), ("token-2", False), ("", False), ("é", False)]
    )
    def test_a_secret_may_stand_in_a_header_or_in_the_url(self, given: str, holds: bool) -> None:
        over = {"receipt_place": "X-Token", "receipt_secret": "token-1"}
        in_header = ReceiptRequest("POST", RECEIPT_URL, {"x-token": given}, b"{}")
        in_url = ReceiptRequest("GET", f"{RECEIPT_URL}?X-Token={given}", {}, b"")
        for request, proof in ((in_header, "header"), (in_url, "parameter")):
            if holds:
                self.verify(request, receipt_proof=proof, **over)
            else:
                with pytest.raises(ReceiptRefused):
                    self.verify(request, receipt_proof=proof, **over)

    @pytest.mark.parametrize(
        ("method", "url", "body"),
        [
            ("POST", RECEIPT_URL, b'{"id": "a1", "status": "delivered"}'),
            ("POST", RECEIPT_URL, b"id=a1&status=delivered"),
            ("GET", f"{RECEIPT_URL}?id=a1&status=delivered", b""),
        ],
    )
    def test_it_reads_json_forms_and_urls(self, method: str, url: str, body: bytes) -> None:
        (receipt,) = self.parsed(ReceiptRequest(method, url, {}, body))
        assert (receipt.message_id, receipt.status) == ("a1", ReceiptStatus.DELIVERED)

    def test_it_reads_text_by_regular_expressions(self) -> None:
        fields = {"message_id": r"/<id>(\w+)</", "status": r"/<state>(\w+)</"}
        body = b"<dlr><id>a1</id><state>DELIVRD</state></dlr>"
        (receipt,) = self.parsed(ReceiptRequest("POST", RECEIPT_URL, {}, body), receipt_fields=fields)
        assert (receipt.message_id, receipt.status) == ("a1", ReceiptStatus.DELIVERED)

    def test_it_reads_many_at_once(self) -> None:
        fields = {"items": "results", "message_id": "id", "status": "state.name"}
        results = [{"id": f"a{n}", "state": {"name": "0" if n else "9"}} for n in range(3)]
        request = ReceiptRequest("POST", RECEIPT_URL, {}, orjson.dumps({"results": results}))
        words = {"0": "delivered", "9": "failed"}
        receipts = self.parsed(request, receipt_fields=fields, receipt_statuses=words)
        assert [(r.message_id, r.status.value) for r in receipts] == [
            ("a0", "failed"),
            ("a1", "delivered"),
            ("a2", "delivered"),
        ]

    @pytest.mark.parametrize(
        ("fields", "url", "reference"),
        [
            ({}, f"{RECEIPT_URL}?reference=abc.1", "abc.1"),
            ({"reference": "ref"}, RECEIPT_URL, "xyz.2"),
            ({"reference": "ref"}, f"{RECEIPT_URL}?reference=abc.1", "xyz.2"),
        ],
    )
    def test_a_receipt_brings_our_reference_back(
        self, fields: dict[str, str], url: str, reference: str
    ) -> None:
        request = ReceiptRequest("POST", url, {}, b'{"status": "delivered", "ref": "xyz.2"}')
        (receipt,) = self.parsed(request, receipt_fields={"status": "status", **fields})
        assert (receipt.reference, receipt.message_id) == (reference, "")

    def test_its_own_words_go_before_the_usual_ones(self) -> None:
        request = ReceiptRequest("POST", RECEIPT_URL, {}, b'{"id": "a", "status": "Sent"}')
        assert self.parsed(request)[0].status is ReceiptStatus.SENT
        own = {"SENT": "delivered"}
        assert self.parsed(request, receipt_statuses=own)[0].status is ReceiptStatus.DELIVERED

    @pytest.mark.parametrize(
        "body", [b"{}", b"[]", b"7", b'{"id": "a"}', b'{"status": "sent"}', b'{"id": {}}']
    )
    def test_what_names_nothing_is_refused(self, body: bytes) -> None:
        with pytest.raises(ReceiptRefused):
            self.parsed(ReceiptRequest("POST", RECEIPT_URL, {}, body))
        with pytest.raises(ReceiptRefused):
            self.parsed(ReceiptRequest("POST", RECEIPT_URL, {}, body), receipt_fields={"items": "results"})


def fill_in(value: Any, url: str) -> Any:
    """`BASE` is where the gateway is."""
    return value.replace("BASE", url) if isinstance(value, str) else value
