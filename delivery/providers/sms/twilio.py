"""SMS by Twilio's Messages API, through the `twilio` package's async client over our shared session.

Sending: https://www.twilio.com/docs/messaging/api/message-resource
Status callbacks: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
Signatures: https://www.twilio.com/docs/usage/security#validating-requests
Error codes: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
from pydantic import Field, SecretStr
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from yarl import URL

from delivery.providers.base import (
    ErrorKind,
    Message,
    ParsedReceipt,
    Provider,
    ProviderError,
    ProviderSettings,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.http import FORM, Reply, exchange, form, kind_of_status

_VENDOR = "https://api.twilio.com"

_KINDS = {
    "20003": ErrorKind.ACCOUNT,  # authentication failed
    "20005": ErrorKind.ACCOUNT,  # account not active
    "20006": ErrorKind.ACCOUNT,  # access denied
    "20008": ErrorKind.ACCOUNT,  # resource not accessible with test credentials
    "20429": ErrorKind.RATE_LIMITED,
    "21212": ErrorKind.ACCOUNT,  # invalid From
    "21408": ErrorKind.ACCOUNT,  # no permission for this region
    "21601": ErrorKind.ACCOUNT,  # From cannot send SMS
    "21603": ErrorKind.ACCOUNT,  # a From is required
    "21606": ErrorKind.ACCOUNT,  # From cannot send to this destination
    "21608": ErrorKind.ACCOUNT,  # a trial account, and an unverified recipient
    "21609": ErrorKind.ACCOUNT,  # invalid StatusCallback: our public URL
    "21611": ErrorKind.RATE_LIMITED,  # the queue of this From is full
    "21612": ErrorKind.ACCOUNT,  # this From does not reach this To
    "21659": ErrorKind.ACCOUNT,  # From is not a Twilio number
    "21660": ErrorKind.ACCOUNT,  # From is another account's
    "21703": ErrorKind.ACCOUNT,  # the messaging service has no senders
    "21705": ErrorKind.ACCOUNT,  # the messaging service is not there
    "30001": ErrorKind.TRANSIENT,  # queue overflow
    "30002": ErrorKind.ACCOUNT,  # account suspended
    "30008": ErrorKind.TRANSIENT,  # unknown error at the carrier
    "30032": ErrorKind.ACCOUNT,  # toll-free number not verified
    "30034": ErrorKind.ACCOUNT,  # number not registered for A2P 10DLC
}
_PERMANENT = {
    "21211": "not a phone number",
    "21610": "the recipient replied STOP",
    "21614": "not a mobile number",
    "30005": "unknown or inactive number",
    "30006": "landline or unreachable carrier",
}
_STATUSES = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.OPENED,
    "undelivered": ReceiptStatus.FAILED,
    "failed": ReceiptStatus.FAILED,
}


def error_for(code: str, kind: ErrorKind, message: str) -> ProviderError:
    """What a code of Twilio's means; `kind` is for those that are not in our tables."""
    if code in _PERMANENT:
        return ProviderError(ErrorKind.ADDRESS, _PERMANENT[code], code=code, permanent=True)
    return ProviderError(_KINDS.get(code, kind), message, code=code)


class SharedSession(AsyncHttpClient):  # type: ignore[misc]
    """Twilio's client over the process's session, with the host taken from the account's settings.

    It does not log: Twilio's own client writes addresses and bodies.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), True, timeout)
        self.base_url = base_url.rstrip("/")
        self.limit = timeout

    async def request(  # noqa: PLR0913, PLR0917 - as Twilio's client calls it
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        allow_redirects: bool = False,
    ) -> Response:
        headers = {**FORM, **(headers or {})}
        if auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        body = form(data) if data else None
        url = URL(self.base_url + uri.removeprefix(_VENDOR), encoded=True)
        reply = await exchange(method, url, timeout=self.limit, params=params, data=body, headers=headers)
        if reply.status >= 300:
            raise _refusal(reply)
        return Response(reply.status, reply.body.decode("utf-8", "replace"), reply.headers)


def _document(reply: Response) -> dict[str, Any]:
    """The answer's JSON object; one that is none may come from a vendor that took the message."""
    try:
        document = orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise _unreadable("the answer is no JSON object")
    return document


def _unreadable(words: str) -> ProviderError:
    """It answered, and may have taken it."""
    return ProviderError(ErrorKind.UNKNOWN, words, code="unreadable")


def _refusal(reply: Reply) -> ProviderError:
    """By Twilio's code, which says more than the status. A proxy's page has none."""
    if reply.status == 429 or reply.status >= 500:
        return reply.error()
    try:
        document = reply.json()
        return error_for(str(int(document["code"])), kind_of_status(reply.status), str(document["message"]))
    except (ProviderError, KeyError, TypeError, ValueError):
        return reply.error()


class TwilioSms(Provider):
    name = "twilio"
    channel = "sms"
    label = "Twilio"

    class Settings(ProviderSettings):
        account_sid: str = Field(title="Account SID", pattern=r"^AC[0-9a-zA-Z]{32}$")
        auth_token: SecretStr = Field(title="Auth token", min_length=1)
        sender: str = Field(
            title="From", description="A number in E.164, or a messaging service's SID (MG…)."
        )
        base_url: str = Field(_VENDOR, title="Base URL", pattern=r"^https?://")

    @cached_property
    def credentials(self) -> tuple[str, str]:
        return self.settings.account_sid, self.settings.auth_token.get_secret_value()

    @cached_property
    def transport(self) -> SharedSession:
        return SharedSession(self.settings.base_url, self.timeout)

    async def send_one(self, message: Message) -> Sent:
        """By the client's transport: its resource objects take as long to make as the exchange itself."""
        uri = f"{_VENDOR}/2010-04-01/Accounts/{self.settings.account_sid}/Messages.json"
        reply = await self.transport.request("POST", uri, data=self._fields(message), auth=self.credentials)
        created = _document(reply)
        if not created.get("sid"):
            raise _unreadable("the answer names no message")
        return Sent(str(created["sid"]), str(created.get("status", "")))

    async def check(self) -> None:
        client = Client(*self.credentials, http_client=self.transport)
        try:
            await client.api.accounts(self.settings.account_sid).fetch_async()
        except (TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(type(error).__name__) from None

    def _fields(self, message: Message) -> dict[str, str]:
        sender = self.settings.sender
        fields = {
            "To": message.to,
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            "Body": message.content.body,
        }
        if self.receipt_url:
            fields["StatusCallback"] = f"{self.receipt_url}?reference={message.reference}"
        return fields

    def verify(self, request: ReceiptRequest) -> None:
        validator = RequestValidator(self.settings.auth_token.get_secret_value())
        signature = request.headers.get("x-twilio-signature", "")
        if not signature or not validator.validate(request.url, self._form(request), signature):
            raise ReceiptRefused("the signature does not hold")

    def parse(self, request: ReceiptRequest) -> list[ParsedReceipt]:
        fields = self._form(request)
        if not (sid := fields.get("MessageSid")) or not (word := fields.get("MessageStatus")):
            raise ReceiptRefused("it names no message or no status")
        status = _STATUSES.get(word, ReceiptStatus.UNKNOWN)
        error = _failure(fields) if status is ReceiptStatus.FAILED else None
        reference = dict(parse_qsl(urlsplit(request.url).query)).get("reference", "")
        return [ParsedReceipt(f"{sid}:{word}", sid, status, dt.datetime.now(dt.UTC), error, reference)]

    def _form(self, request: ReceiptRequest) -> dict[str, str]:
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _failure(fields: dict[str, str]) -> ProviderError:
    """A failure without a code is as good as Twilio's 'unknown error'."""
    code = fields.get("ErrorCode") or "30008"
    words = fields.get("ErrorMessage") or fields["MessageStatus"]
    return error_for(code, ErrorKind.ADDRESS, words)
