"""SMS by Amazon SNS: signed by botocore, posted over our shared session.

Sending: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
Attributes: https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html
Errors: https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and the page on Publish
Receipts: https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html
Replies: https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html

Amazon writes to CloudWatch what became of a message; docs/providers/amazon-sns.md tells how it gets here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal
from xml.etree.ElementTree import ParseError, fromstring

from pydantic import Field, SecretStr

from delivery.providers import sns_topic
from delivery.providers.base import (
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    Provider,
    ProviderError,
    ProviderSettings,
    ReceiptRequest,
    Sent,
)
from delivery.providers.http import FORM, Reply, exchange, form
from delivery.providers.sms import sns_reports

_VERSION = "2010-03-31"
_E164 = re.compile(r"\+[1-9]\d{5,14}")

_KINDS = {
    "Throttled": ErrorKind.RATE_LIMITED,
    "Throttling": ErrorKind.RATE_LIMITED,
    "ThrottlingException": ErrorKind.RATE_LIMITED,
    "KMSThrottling": ErrorKind.RATE_LIMITED,
    "AuthorizationError": ErrorKind.ACCOUNT,
    "AccessDenied": ErrorKind.ACCOUNT,
    "AccessDeniedException": ErrorKind.ACCOUNT,
    "ExpiredToken": ErrorKind.ACCOUNT,
    "IncompleteSignature": ErrorKind.ACCOUNT,
    "InvalidAction": ErrorKind.ACCOUNT,  # the base URL leads to another service
    "InvalidClientTokenId": ErrorKind.ACCOUNT,
    "InvalidSecurity": ErrorKind.ACCOUNT,
    "MissingAuthenticationToken": ErrorKind.ACCOUNT,
    "NotAuthorized": ErrorKind.ACCOUNT,
    "OptInRequired": ErrorKind.ACCOUNT,
    "RequestExpired": ErrorKind.ACCOUNT,  # our clock is wrong
    "SignatureDoesNotMatch": ErrorKind.ACCOUNT,
    "UserErrorException": ErrorKind.ACCOUNT,
    "VerificationException": ErrorKind.ACCOUNT,  # the account is in Amazon's SMS sandbox
}
_INVALID = {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException"}
_OURS = re.compile(r"SenderID|OriginationNumber|SMSType|MaxPrice|MessageAttribute", re.IGNORECASE)


class AmazonSns(Provider):
    name = "sns"
    channel = "sms"
    label = "Amazon SNS"

    class Settings(ProviderSettings):
        region: str = Field(title="Region", description="eu-central-1", pattern=r"^[a-z]{2}[a-z0-9-]{3,28}$")
        access_key_id: str = Field(title="Access key ID", min_length=16, max_length=128)
        secret_access_key: SecretStr = Field(title="Secret access key", min_length=1)
        sender: str = Field(
            "",
            title="From",
            description="A sender ID of 3 to 11 letters and digits, or one of your numbers, +4915112345678."
            " Empty: Amazon chooses.",
            pattern=r"^(\+?\d{3,15}|[A-Za-z0-9-]{1,11})?$",
        )
        sms_type: Literal["Transactional", "Promotional"] = Field(
            "Transactional", title="Type", description="Promotional is cheaper and less reliable."
        )
        topics: sns_topic.Topics = Field(
            "",
            title="Topics",
            description="ARNs, parted by spaces, of the topics that post receipts and replies."
            " Empty: none are taken.",
        )
        base_url: str = Field(
            "", title="Base URL", description="Empty: the region's own.", pattern=r"^(https?://.*)?$"
        )

    @classmethod
    def accepts(cls, address: str) -> bool:
        return _E164.fullmatch(address) is not None

    async def send_one(self, message: Message) -> Sent:
        sender = message.overrides.get("sender") or self.settings.sender
        fields = {"PhoneNumber": message.to, "Message": message.content.body}
        reply = await self._call("Publish", {**fields, **_attributes(sender, self.settings.sms_type)})
        message_id = _text(reply, "MessageId")
        if not message_id:
            raise ProviderError(ErrorKind.UNKNOWN, "the answer names no message", code="unreadable")
        return Sent(message_id)

    async def check(self) -> None:
        """It needs the permission `sns:GetSMSAttributes`."""
        reply = await self._call("GetSMSAttributes", {})
        if b"GetSMSAttributesResult" not in reply.body:
            raise ProviderError(ErrorKind.UNKNOWN, "the answer is not SNS's", code="unreadable")

    async def _call(self, action: str, fields: Mapping[str, str]) -> Reply:
        body = form({"Action": action, "Version": _VERSION, **fields})
        reply = await exchange("POST", self._url, timeout=self.timeout, headers=self._signed(body), data=body)
        if reply.status >= 300:
            raise _refusal(reply)
        return reply

    @property
    def _url(self) -> str:
        region = self.settings.region
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return (self.settings.base_url or f"https://sns.{region}.{domain}").rstrip("/") + "/"

    def _signed(self, body: bytes) -> dict[str, str]:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html"""
        own = self.settings
        sign, request = _signer(own.access_key_id, own.secret_access_key.get_secret_value(), own.region)
        signed = request("POST", self._url, data=body, headers=dict(FORM))
        sign(signed)
        return dict(signed.headers.items())

    # — receipts

    def silence(self) -> str:
        return "" if self.settings.topics else "its settings name no topic that posts receipts"

    def verify(self, request: ReceiptRequest) -> None:
        own = self.settings
        posted = sns_topic.read(request.body)
        sns_topic.verify(posted, topics=own.topics, base_url=own.base_url, timeout=self.timeout)

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt | Inbound]:
        """Also confirms the subscription, by a call to Amazon."""
        posted = sns_topic.read(request.body)
        if posted["Type"] == sns_topic.CONFIRMATION:
            sns_topic.confirm(posted, base_url=self.settings.base_url, timeout=self.timeout)
        return sns_reports.parse(posted) if posted["Type"] == "Notification" else []


@lru_cache(maxsize=64)
def _signer(key_id: str, secret: str, region: str) -> tuple[Any, Any]:
    """Imported when first needed: 6 MB in each process, of which most have no account at Amazon."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    return SigV4Auth(Credentials(key_id, secret), "sns", region).add_auth, AWSRequest


@lru_cache(maxsize=256)
def _attributes(sender: str, sms_type: str) -> Mapping[str, str]:
    said = {"AWS.SNS.SMS.SMSType": sms_type}
    if sender:
        is_number = sender.removeprefix("+").isdecimal()
        said["AWS.MM.SMS.OriginationNumber" if is_number else "AWS.SNS.SMS.SenderID"] = sender
    return dict(_entries(said))


def _entries(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A map as Amazon's query protocol spells it."""
    for number, (name, value) in enumerate(said.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        yield f"{entry}.Name", name
        yield f"{entry}.Value.DataType", "String"
        yield f"{entry}.Value.StringValue", value


def _text(reply: Reply, tag: str) -> str:
    """What stands in the first element of that name, if the answer is XML and has one."""
    try:
        found = fromstring(reply.body).find(f".//{{*}}{tag}")  # noqa: S314 - expat bounds what entities become
    except ParseError:
        return ""
    return "" if found is None else (found.text or "").strip()


def _refusal(reply: Reply) -> ProviderError:
    """By Amazon's code, which says more than the status. A proxy's page has none."""
    plain, code, words = reply.error(), _text(reply, "Code"), _text(reply, "Message")
    if not code:
        return plain
    error = _blamed(code, words or code, plain.kind)
    error.retry_after = plain.retry_after
    return error


def _blamed(code: str, words: str, otherwise: ErrorKind) -> ProviderError:
    if code == "OptedOut":
        return ProviderError(ErrorKind.ADDRESS, "the recipient opted out", code=code, permanent=True)
    if code in _INVALID and _OURS.search(words):
        return ProviderError(ErrorKind.ACCOUNT, words, code=code)
    if code in _INVALID:
        return ProviderError(ErrorKind.ADDRESS, words, code=code, permanent="PhoneNumber" in words)
    return ProviderError(_KINDS.get(code, otherwise), words, code=code)
