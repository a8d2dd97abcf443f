from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from pydantic import ValidationError

from delivery import loop
from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms import sns_topic
from delivery.providers.sms.sns import AmazonSns
from delivery.tests.contract import RECEIPT_URL, Answer, HttpContract, Server, Signal
from sandbox.sns_topic import ARN, Signer

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
NAME = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
AMAZON = "https://sns.eu-central-1.amazonaws.com"


class TestSns(HttpContract):
    provider = AmazonSns
    address = "+15005550010"
    bad_address = "+15005550009"
    samples = Path(__file__).parent / "samples" / "sns"
    signer: ClassVar[Signer] = Signer()
    amazon: Server

    @pytest.fixture(autouse=True)
    def _amazon(self) -> Iterator[None]:
        """Where the certificate lies, and where subscriptions are confirmed."""
        sns_topic._certificate.cache_clear()
        with Server(self, Signal.TAKEN, always=(200, {}, self.signer.certificate)) as self.amazon:
            yield

    def settings(self) -> dict[str, Any]:
        return self.settings_for(self.amazon.url)

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

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        return self.posted({"Type": "Notification", "Message": orjson.dumps(body).decode()}, url=url)

    def posted(
        self, said: Mapping[str, str], *, url: str = RECEIPT_URL, version: str = "1", cert: str = ""
    ) -> ReceiptRequest:
        about = {"MessageId": "sns-1", "TopicArn": ARN, "Timestamp": "2026-01-31T09:30:00.000Z"}
        signed = self.signer.signed({**about, **said}, cert or f"{self.amazon.url}/{NAME}", version)
        return ReceiptRequest("POST", url, {"x-amz-sns-message-type": said["Type"]}, orjson.dumps(signed))

    def refusal(self, request: ReceiptRequest, **over: Any) -> str:
        with pytest.raises(ReceiptRefused) as refused:
            self.verify(request, **over)
        return str(refused.value)

    def outcome(self, answer: Answer, **settings: Any) -> tuple[Sent | ProviderError, Server]:
        with Server(self, Signal.TAKEN, always=answer) as server:
            (outcome,) = self.send({**self.settings_for(server.url), **settings})
        return outcome, server

    # — what the contract asks, and Amazon has another way for

    def test_it_refuses_a_receipt_without_a_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        document = orjson.loads(request.body)
        for name in ("Signature", "SignatureVersion", "SigningCertURL", "TopicArn", "MessageId"):
            without = {key: value for key, value in document.items() if key != name}
            assert self.refusal(replace(request, body=orjson.dumps(without)))

    def test_it_refuses_a_receipt_that_is_replayed_to_another_account(self) -> None:
        """The URL is not signed. Each account names its topics, and without any it believes none."""
        request = self.signed(self.body(), RECEIPT_URL)
        for topics in ("", f"{ARN}2", f"{ARN}2 {ARN}3"):
            assert self.refusal(request, topics=topics) == "the account does not name its topic"
        self.verify(request, topics=f"{ARN}2 {ARN}")

    def test_it_refuses_another_accounts_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        forged = Signer().signed(orjson.loads(request.body), f"{self.amazon.url}/{NAME}")
        assert "does not hold" in self.refusal(replace(request, body=orjson.dumps(forged)))

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
            ("topics", "shop"),
            ("topics", "arn:aws:sqs:eu-central-1:123456789012:shop"),
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

    # — what topics post

    def test_the_signature_is_over_what_the_page_says(self) -> None:
        """https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html"""
        said = (
            "Message\nMy Test Message\nMessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\nSubject\nMy subject\n"
            "Timestamp\n2019-01-31T04:37:04.321Z\nTopicArn\narn:aws:sns:us-east-2:123456789012:s4-MySNSTopic"
            "\nType\nNotification\n"
        )
        lines = said.splitlines()
        document = dict(zip(lines[::2], lines[1::2], strict=True))
        for version, algorithm in (("1", hashes.SHA1()), ("2", hashes.SHA256())):
            signature = base64.b64encode(self.signer._key.sign(said.encode(), PKCS1v15(), algorithm)).decode()
            named = {"Signature": signature, "SignatureVersion": version}
            body = {**document, **named, "SigningCertURL": f"{self.amazon.url}/{NAME}"}
            request = ReceiptRequest("POST", RECEIPT_URL, {}, orjson.dumps(body))
            self.verify(request, topics=document["TopicArn"])
            spoiled = orjson.dumps({**body, "Subject": "Another"})
            assert self.refusal(replace(request, body=spoiled), topics=document["TopicArn"])

    def test_both_versions_hold(self) -> None:
        for version in ("1", "2"):
            said = {"Type": "Notification", "Subject": "Hi", "Message": "{}"}
            self.verify(self.posted(said, version=version))

    def test_a_version_that_is_none_is_refused(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        document = {**orjson.loads(request.body), "SignatureVersion": "3"}
        assert self.refusal(replace(request, body=orjson.dumps(document)))

    @pytest.mark.parametrize(
        "url",
        [
            f"http://sns.eu-central-1.amazonaws.com/{NAME}",
            f"https://sns.eu-central-1.amazonaws.com.evil.example/{NAME}",
            f"https://evil.example/{NAME}",
            f"https://sns.eu-central-1.amazonaws.com@evil.example/{NAME}",
            f"https://sns.eu-central-1.amazonaws.com:8443/{NAME}",
            f"https://s3.eu-central-1.amazonaws.com/{NAME}",
            f"https://sns.eu-central-1.amazonaws.com/bucket/{NAME}",
            f"https://sns.eu-central-1.amazonaws.com/{NAME}?Action=Publish",
            f"https://sns.eu-central-1.amazonaws.com/{NAME}\n",
            "https://sns.eu-central-1.amazonaws.com/certificate.pem",
            "file:///etc/passwd",
        ],
    )
    def test_only_amazons_certificates_are_believed(self, url: str) -> None:
        request = self.posted({"Type": "Notification", "Message": "{}"}, cert=url)
        assert self.refusal(request, base_url="") == "its certificate is not Amazon's"
        assert self.amazon.requests == []

    def test_a_stand_ins_certificate_is_believed_where_one_is_set_only(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        assert self.refusal(request, base_url="") == "its certificate is not Amazon's"
        elsewhere = self.posted({"Type": "Notification", "Message": "{}"}, cert=f"{AMAZON}/{NAME}")
        assert self.refusal(elsewhere) == "its certificate is not Amazon's"

    def test_the_certificate_is_fetched_once(self) -> None:
        for _ in range(3):
            self.verify(self.signed(self.body(), RECEIPT_URL))
        assert [path for _, path, _, _ in self.amazon.requests] == [f"/{NAME}"]

    def test_a_certificate_that_ran_out_is_refused(self) -> None:
        old = Signer(dt.timedelta(days=-1))
        with Server(self, Signal.TAKEN, always=(200, {}, old.certificate)) as server:
            document = orjson.loads(self.signed(self.body(), RECEIPT_URL).body)
            body = orjson.dumps(old.signed(document, f"{server.url}/{NAME}"))
            request = ReceiptRequest("POST", RECEIPT_URL, {}, body)
            assert self.refusal(request, base_url=server.url) == "its certificate is not valid now"

    @pytest.mark.parametrize("answer", [(404, {}, b""), (302, {"Location": AMAZON}, b""), (200, {}, b"none")])
    def test_a_certificate_that_is_not_there_is_refused(self, answer: Answer) -> None:
        self.amazon.always = answer
        assert self.refusal(self.signed(self.body(), RECEIPT_URL))

    def test_a_certificate_that_cannot_be_had_now_is_no_refusal(self) -> None:
        """Amazon posts again what we could not tell."""
        self.amazon.always = (503, {}, b"")
        with pytest.raises(ProviderError) as failure:
            self.verify(self.signed(self.body(), RECEIPT_URL))
        assert failure.value.kind is ErrorKind.TRANSIENT
        self.amazon.always = (200, {}, self.signer.certificate)
        self.verify(self.signed(self.body(), RECEIPT_URL))

    def subscription(self, url: str) -> ReceiptRequest:
        asked = {"Type": "SubscriptionConfirmation", "Message": "confirm", "Token": "t", "SubscribeURL": url}
        return self.posted(asked)

    def test_it_confirms_a_subscription(self) -> None:
        query = f"/?Action=ConfirmSubscription&TopicArn={ARN}&Token=abc"
        request = self.subscription(self.amazon.url + query)
        self.verify(request)
        assert self.provider_parse(request) == []
        assert self.amazon.requests[-1][:2] == ("GET", query)

    @pytest.mark.parametrize(
        "url",
        [
            f"{AMAZON}.evil.example/?Action=ConfirmSubscription&Token=1",
            f"{AMAZON}/?Action=Unsubscribe&Token=1",
            f"{AMAZON}/other?Action=ConfirmSubscription&Token=1",
            "http://169.254.169.254/?Action=ConfirmSubscription&Token=1",
            "",
        ],
    )
    def test_it_confirms_at_amazon_only(self, url: str) -> None:
        with pytest.raises(ReceiptRefused, match="not at Amazon"):
            self.provider_parse(self.subscription(url), base_url="")

    def test_it_confirms_what_was_signed_only(self) -> None:
        request = self.subscription(f"{self.amazon.url}/?Action=ConfirmSubscription&Token=abc")
        body = request.body.replace(b"Token=abc", b"Token=xyz")
        assert "does not hold" in self.refusal(replace(request, body=body))

    def test_the_end_of_a_subscription_says_nothing(self) -> None:
        asked = {"Type": "UnsubscribeConfirmation", "Message": "x", "Token": "t", "SubscribeURL": "x"}
        request = self.posted(asked)
        self.verify(request)
        assert self.provider_parse(request) == []

    def provider_parse(self, request: ReceiptRequest, **over: Any) -> list[ParsedReceipt | Inbound]:
        return list(self.make({**self.settings(), **over}).parse(request))

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
