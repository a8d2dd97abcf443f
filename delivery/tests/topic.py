"""What a vendor has to do whose receipts a topic of Amazon SNS posts, beside the contract."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from pydantic import ValidationError

from delivery.providers import sns_topic
from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
)
from delivery.tests.contract import RECEIPT_URL, Answer, HttpContract, Server, Signal
from sandbox.sns_topic import ARN, Signer

NAME = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
AMAZON = "https://sns.eu-central-1.amazonaws.com"


class TopicContract(HttpContract):
    """`settings_for` names the topic `ARN`."""

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
        assert self.refusal(request, topics="")
        for topics in (f"{ARN}2", f"{ARN}2 {ARN}3"):
            assert self.refusal(request, topics=topics) == "the account does not name its topic"
        self.verify(request, topics=f"{ARN}2 {ARN}")

    def test_it_refuses_another_accounts_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        forged = Signer().signed(orjson.loads(request.body), f"{self.amazon.url}/{NAME}")
        assert "does not hold" in self.refusal(replace(request, body=orjson.dumps(forged)))

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
        assert self.refusal(request, base_url=f"{self.amazon.url}/other") == "its certificate is not Amazon's"

    def test_amazons_is_believed_beside_it(self) -> None:
        """A private endpoint is called by another name than the topic's posts come from."""
        private = "https://vpce-0a.sns.eu-central-1.vpce.amazonaws.com"
        assert sns_topic.is_certificate(f"{AMAZON}/{NAME}", private)
        assert not sns_topic.is_certificate(f"{AMAZON}.evil.example/{NAME}", private)

    @pytest.mark.parametrize("topics", ["shop", "arn:aws:sqs:eu-central-1:123456789012:shop", f"{ARN},{ARN}"])
    def test_it_says_that_a_topic_is_none(self, topics: str) -> None:
        with pytest.raises(ValidationError, match="no ARN of a topic"):
            self.provider.Settings.model_validate({**self.settings(), "topics": topics})

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
