from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from pydantic import ValidationError

from delivery import loop
from delivery.providers.base import (
    ErrorKind,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms.sns import AmazonSns
from delivery.tests.contract import RECEIPT_URL, Answer, Server, Signal
from delivery.tests.topic import TopicContract
from sandbox.sns_topic import ARN

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


class TestSns(TopicContract):
    provider = AmazonSns
    address = "+15005550010"
    bad_address = "+15005550009"
    samples = Path(__file__).parent / "samples" / "sns"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {"access_key_id": "AKIA00000000SHOP", "secret_access_key": self.secret}
        return {**keys, "region": "eu-central-1", "sender": "Shop", "topics": ARN, "base_url": base_url}

    def taken(self, number: int) -> Answer:
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Examples"""
        said = f"<PublishResult><MessageId>message-{number}</MessageId></PublishResult>"
        attributes = "<GetSMSAttributesResult><attributes/></GetSMSAttributesResult>"
        return 200, {}, f'<PublishResponse xmlns="{NAMESPACE}">{said}{attributes}</PublishResponse>'.encode()

    def refused(self) -> Answer:
        words = f"Invalid parameter: PhoneNumber Reason: {self.bad_address} is not valid to publish to"
        return error(400, "InvalidParameter", words)

    def answer(self, signal: Signal, number: int) -> Answer:
        if signal is Signal.BAD_CREDENTIALS:
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid")
        return super().answer(signal, number)

    def outcome(self, answer: Answer, **settings: Any) -> tuple[Sent | ProviderError, Server]:
        with Server(self, Signal.TAKEN, always=answer) as server:
            (outcome,) = self.send({**self.settings_for(server.url), **settings})
        return outcome, server

    # — sending

    def test_it_speaks_the_query_api(self) -> None:
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
        outcome, server = self.outcome(self.taken(1))
        ((method, path, _, body),) = server.requests
        assert (method, path) == ("POST", "/")
        fields = dict(parse_qsl(body.decode()))
        assert (fields["Action"], fields["Version"], fields["PhoneNumber"]) == (
            "Publish",
            "2010-03-31",
            self.address,
        )
        assert outcome == Sent("message-1", "", outcome.latency_ms)

    @pytest.mark.parametrize(
        ("sender", "attributes"),
        [
            ("", {}),
            ("Shop", {"AWS.SNS.SMS.SenderID": "Shop"}),
            ("+15005550006", {"AWS.MM.SMS.OriginationNumber": "+15005550006"}),
            ("12345", {"AWS.MM.SMS.OriginationNumber": "12345"}),
        ],
    )
    def test_it_says_who_sends(self, sender: str, attributes: dict[str, str]) -> None:
        _, server = self.outcome(self.taken(1), sender=sender, sms_type="Promotional")
        assert sent_attributes(server) == {"AWS.SNS.SMS.SMSType": "Promotional", **attributes}

    def test_the_message_may_say_who_sends(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            message = replace(self.message(), overrides={"sender": "Other"})
            loop.run(self.make(self.settings_for(server.url)).send([message]))
        assert sent_attributes(server)["AWS.SNS.SMS.SenderID"] == "Other"

    def test_its_signature_is_version_4(self) -> None:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
        _, server = self.outcome(self.taken(1))
        ((method, path, headers, body),) = server.requests
        headers = {name.lower(): value for name, value in headers.items()}
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=AKIA00000000SHOP/(\d{8})/eu-central-1/sns/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            headers["authorization"],
        )
        assert found is not None
        day, names, signature = found.groups()
        assert "host" in names.split(";")
        said = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
        canonical = f"{method}\n{path}\n\n{said}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/eu-central-1/sns/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in (day, "eu-central-1", "sns", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
        assert hmac.new(key, to_sign.encode(), "sha256").hexdigest() == signature

    @pytest.mark.parametrize(
        ("status", "code", "message", "kind", "is_permanent"),
        [
            (400, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: no", ErrorKind.ADDRESS, True),
            (400, "InvalidParameter", "Invalid parameter: Message Reason: no", ErrorKind.ADDRESS, False),
            (400, "InvalidParameter", "AWS.SNS.SMS.SenderID is no", ErrorKind.ACCOUNT, False),
            (400, "ParameterValueInvalid", "no", ErrorKind.ADDRESS, False),
            (400, "OptedOut", "no", ErrorKind.ADDRESS, True),
            (429, "Throttled", "no", ErrorKind.RATE_LIMITED, False),
            (400, "Throttling", "Rate exceeded", ErrorKind.RATE_LIMITED, False),
            (400, "KMSThrottling", "no", ErrorKind.RATE_LIMITED, False),
            (403, "AuthorizationError", "no", ErrorKind.ACCOUNT, False),
            (403, "SignatureDoesNotMatch", "no", ErrorKind.ACCOUNT, False),
            (400, "IncompleteSignature", "no", ErrorKind.ACCOUNT, False),
            (400, "RequestExpired", "no", ErrorKind.ACCOUNT, False),
            (500, "InternalError", "no", ErrorKind.TRANSIENT, False),
            (503, "ServiceUnavailable", "no", ErrorKind.TRANSIENT, False),
            (400, "Unheard-of", "no", ErrorKind.ADDRESS, False),
        ],
    )
    def test_it_knows_amazons_codes(
        self, status: int, code: str, message: str, kind: ErrorKind, is_permanent: bool
    ) -> None:
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors"""
        outcome, _ = self.outcome(error(status, code, message))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, code, is_permanent)

    @pytest.mark.parametrize("body", [b"", b"<PublishResponse/>", b"<a><MessageId/></a>", b"{}"])
    def test_an_answer_without_a_message_is_unknown(self, body: bytes) -> None:
        outcome, _ = self.outcome((200, {}, body))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    @pytest.mark.parametrize(
        ("region", "url"),
        [
            ("eu-central-1", "https://sns.eu-central-1.amazonaws.com/"),
            ("cn-north-1", "https://sns.cn-north-1.amazonaws.com.cn/"),
        ],
    )
    def test_it_calls_the_region(self, region: str, url: str) -> None:
        provider = self.make({**self.settings_for(""), "region": region})
        assert isinstance(provider, AmazonSns)
        assert provider._url == url

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("sender", "A name too long"),
            ("sender", "1.2"),
            ("region", "eu.evil.example/"),
            ("sms_type", "Loud"),
        ],
    )
    def test_it_says_which_settings_are_none(self, field: str, value: str) -> None:
        with pytest.raises(ValidationError, match=field):
            AmazonSns.Settings(**{**self.settings_for(""), field: value})

    @pytest.mark.parametrize(
        ("address", "is_accepted"), [("+4915112345678", True), ("4915112345678", False), ("ann", False)]
    )
    def test_it_takes_numbers_in_e_164(self, address: str, is_accepted: bool) -> None:
        assert AmazonSns.accepts(address) is is_accepted

    # — what topics post of it

    @pytest.mark.parametrize(
        ("words", "kind", "code", "is_permanent"),
        [
            ("Blocked as spam by phone carrier", ErrorKind.ADDRESS, "spam", False),
            ("Destination is on a blocked list", ErrorKind.ADDRESS, "blocked_list", False),
            ("Invalid phone number", ErrorKind.ADDRESS, "invalid_number", True),
            ("Message body is invalid", ErrorKind.ADDRESS, "invalid_body", False),
            ("Phone carrier has blocked this message", ErrorKind.ADDRESS, "carrier_blocked", False),
            (
                "Phone carrier is currently unreachable/unavailable",
                ErrorKind.TRANSIENT,
                "carrier_unreachable",
                False,
            ),
            ("Phone has blocked SMS", ErrorKind.ADDRESS, "phone_blocked", False),
            ("Phone is on a blocked list", ErrorKind.ADDRESS, "blocked_list", False),
            ("Phone is currently unreachable/unavailable", ErrorKind.ADDRESS, "phone_unreachable", False),
            ("+15005550010 is opted out", ErrorKind.ADDRESS, "opted_out", True),
            ("This delivery would exceed max price", ErrorKind.ACCOUNT, "max_price", False),
            ("No quota left for account", ErrorKind.ACCOUNT, "quota", False),
            ("Something else", ErrorKind.ADDRESS, "failed", False),
        ],
    )
    def test_it_knows_why_deliveries_fail(
        self, words: str, kind: ErrorKind, code: str, is_permanent: bool
    ) -> None:
        """https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html"""
        body = {**self.body(), "status": "FAILURE", "delivery": {"providerResponse": words}}
        (receipt,) = self.provider_parse(self.signed(body, RECEIPT_URL))
        assert isinstance(receipt, ParsedReceipt)
        assert receipt.error is not None
        assert (receipt.error.kind, receipt.error.code, receipt.error.permanent) == (kind, code, is_permanent)

    def test_it_says_when_it_was_delivered(self) -> None:
        (receipt,) = self.provider_parse(self.signed(self.body(), RECEIPT_URL))
        assert receipt.occurred_at == dt.datetime(2016, 6, 28, 0, 40, 35, 902_000, tzinfo=dt.UTC)

    def test_a_status_that_it_does_not_know_is_unknown(self) -> None:
        (receipt,) = self.provider_parse(self.signed({**self.body(), "status": "MAYBE"}, RECEIPT_URL))
        assert isinstance(receipt, ParsedReceipt)
        assert receipt.status is ReceiptStatus.UNKNOWN

    def test_cloudwatchs_test_message_says_nothing(self) -> None:
        said = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE"}]}
        assert self.provider_parse(self.signed(said, RECEIPT_URL)) == []

    @pytest.mark.parametrize("said", ["Hello world!", "[]", "7", "{}", '{"notification": {}}', "null"])
    def test_other_posts_are_refused(self, said: str) -> None:
        with pytest.raises(ReceiptRefused):
            self.provider_parse(self.posted({"Type": "Notification", "Message": said}))


def sent_attributes(server: Server) -> dict[str, str]:
    form = parse_qs(server.requests[0][3].decode())
    entries = [name.removesuffix(".Name") for name in form if name.endswith(".Name")]
    assert all(form[f"{entry}.Value.DataType"] == ["String"] for entry in entries)
    return {form[f"{entry}.Name"][0]: form[f"{entry}.Value.StringValue"][0] for entry in entries}


def error(status: int, code: str, message: str) -> Answer:
    said = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f'<ErrorResponse xmlns="{NAMESPACE}">{said}<RequestId>1</RequestId></ErrorResponse>'
    return status, {"Content-Type": "text/xml"}, body.encode()
