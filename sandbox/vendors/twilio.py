"""Twilio's Messages API, version 2010-04-01, for SMS, with signed status callbacks.

Messages: https://www.twilio.com/docs/messaging/api/message-resource
Callbacks: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
Signatures: https://www.twilio.com/docs/usage/webhooks/webhooks-security
Error codes: https://www.twilio.com/docs/api/errors
"""

import asyncio
import re
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from aiohttp import web
from twilio.request_validator import RequestValidator

from sandbox import magic
from sandbox.faults import WELL, Fault
from sandbox.receipts import Post, Receipts
from sandbox.segments import segments
from sandbox.store import Content, Message, Store
from sandbox.vendor import Vendor, never_answer

VERSION = "2010-04-01"
ROOT = f"/{VERSION}/Accounts/{{account}}"
PHONE_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
MAX_BODY = 1600
UNREACHABLE_HANDSET = "30003"
SENT_AFTER_S = 0.05

Form = dict[str, str]


class TwilioError(Exception):
    """Twilio's error answer: an HTTP status, a code of its dictionary and words."""

    def __init__(self, status: int, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def response(self) -> web.Response:
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return answer(body, self.status, headers)


@dataclass(frozen=True, slots=True)
class Caller:
    account: str
    token: str
    fault: Fault


Handler = Callable[[web.Request, Caller], Awaitable[web.Response]]


class TwilioVendor(Vendor):
    """A fault's account name is the AccountSid."""

    name = "twilio"
    channel = "sms"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/Messages.json", self._guarded(self._create)),
            web.get(f"{ROOT}/Messages/{{sid}}.json", self._guarded(self._fetch)),
            web.get(f"{ROOT}.json", self._guarded(self._account)),
        )

    def _guarded(self, handle: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Authenticates, then lets the account's fault have its way with the answer."""

        async def guarded(request: web.Request) -> web.Response:
            fault = WELL
            try:
                token = auth_token(request)
                account = request.match_info["account"]
                fault = self.faults.take(account, self.name)
                refuse_if_failing(fault)
                response = await handle(request, Caller(account, token, fault))
            except TwilioError as error:
                response = error.response()
            if fault.accept_then_timeout and response.status < 400:
                await never_answer()
            if fault.latency_ms:
                await asyncio.sleep(fault.latency_ms / 1000)
            return response

        return guarded

    async def _create(self, request: web.Request, caller: Caller) -> web.Response:
        source = await request.text()
        form = parse(source)
        refuse_if_invalid(form)
        refuse_if_unreachable(form["To"], caller.fault)
        message = self._keep(source, form, caller.account, dict(request.headers))
        Progress(self.store, self.receipts, message, form, caller).begin()
        return answer(resource(message, form), 201)

    def _keep(self, source: str, form: Form, account: str, headers: dict[str, str]) -> Message:
        sid = f"SM{secrets.token_hex(16)}"
        message = Message(
            channel=self.channel,
            provider=self.name,
            account=account,
            to=form["To"],
            sender=form.get("From") or form["MessagingServiceSid"],
            size=len(source),
            parse=partial(content, source, headers),
            state={"sid": sid, "status": "queued", "error_code": None, "callbacks": []},
            key=sid,
        )
        self.store.add(message)
        return message

    async def _fetch(self, request: web.Request, caller: Caller) -> web.Response:
        message = self.store.by_key(request.match_info["sid"])
        if message is None or message.account != caller.account:
            raise TwilioError(404, 20404, f"The requested resource {request.path} was not found")
        return answer(resource(message, parse(message.content.raw)))

    async def _account(self, request: web.Request, caller: Caller) -> web.Response:
        """https://www.twilio.com/docs/iam/api/account"""
        now = format_datetime(datetime.now(UTC))
        return answer(
            {
                "sid": caller.account,
                "owner_account_sid": caller.account,
                "friendly_name": "Carillon sandbox",
                "auth_token": caller.token,
                "status": "active",
                "type": "Full",
                "date_created": now,
                "date_updated": now,
                "uri": request.path,
                "subresource_uris": {"messages": f"{request.path.removesuffix('.json')}/Messages.json"},
            }
        )


class Progress:
    """A message on its way to the phone: sent, then delivered or not, with a callback each if asked for.

    The initial `queued` has no callback, as at Twilio:
    https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
    Callbacks overtake each other there too. Twilio tries one that failed once more, five times at most
    (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides); `Receipts` tries as often.
    """

    def __init__(
        self, store: Store, receipts: Receipts, message: Message, form: Form, caller: Caller
    ) -> None:
        self._store, self._receipts, self._message = store, receipts, message
        self._caller, self._fault = caller, caller.fault
        self._url = form.get("StatusCallback")
        self._sender = form.get("From", "")

    def begin(self) -> None:
        if self._fault.receipt == "none":
            return
        until_final = self._fault.receipt_delay_ms / 1000
        until_sent = min(SENT_AFTER_S, until_final)
        asyncio.get_running_loop().call_later(until_sent, self._sent, until_final - until_sent)

    def _sent(self, until_final: float) -> None:
        self._become("sent")
        asyncio.get_running_loop().call_later(until_final, self._final)

    def _final(self) -> None:
        done = {"RawDlrDoneDate": datetime.now(UTC).strftime("%y%m%d%H%M")}
        if self._fault.receipt == "failed":
            self._message.state["error_code"] = int(UNREACHABLE_HANDSET)
            self._become("undelivered", ErrorCode=UNREACHABLE_HANDSET, **done)
        else:
            self._become("delivered", **done)

    def _become(self, status: str, **details: str) -> None:
        self._message.state["status"] = status
        self._store.changed()
        if self._url:
            for _ in range(1 + self._fault.duplicate_receipts):
                self._receipts.post(self._callback(self._url, status, details))

    def _callback(self, url: str, status: str, details: Form) -> Post:
        sid = self._message.state["sid"]
        form = {
            "AccountSid": self._caller.account,
            "ApiVersion": VERSION,
            "MessageSid": sid,
            "MessageStatus": status,
            "SmsSid": sid,
            "SmsStatus": status,
            "From": self._sender,
            "To": self._message.to,
            **details,
        }
        signature = RequestValidator(self._caller.token).compute_signature(url, form)
        return Post(url, form, {"X-Twilio-Signature": signature}, partial(self._report, status))

    def _report(self, status: str, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._message.state["callbacks"].append({"status": status, "answer": outcome, "at": at})
        self._store.changed()


def answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def auth_token(request: web.Request) -> str:
    """The password of HTTP basic authentication, any but an empty one; callbacks are signed with it."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    try:
        login, _, token = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        login = token = ""
    if scheme.lower() != "basic" or not (login and token):
        raise TwilioError(401, 20003, "Authenticate")
    return token


def refuse_if_failing(fault: Fault) -> None:
    """Twilio numbers its plain HTTP errors 20000 + status: 20404, 20429, 20500, 20503; 401 is 20003."""
    status = fault.failure_status
    if status == 429:
        retry_after = 1 if fault.retry_after is None else fault.retry_after
        raise TwilioError(429, 20429, "Too Many Requests", retry_after)
    if status is not None:
        code, words = FAILURES.get(status, (20000 + status, "Request failed"))
        raise TwilioError(status, code, words, fault.retry_after)


FAILURES = {
    401: (20003, "Authenticate"),
    403: (20403, "Forbidden"),
    500: (20500, "An internal server error has occurred"),
    503: (20503, "Service is unavailable"),
}


def refuse_if_invalid(form: Form) -> None:
    sender = form.get("From") or form.get("MessagingServiceSid")
    said = form.get("Body") or form.get("MediaUrl") or form.get("ContentSid")
    callback = form.get("StatusCallback")
    rules = (
        (form.get("To"), 21604, "A 'To' phone number is required."),
        (sender, 21603, "A 'From' phone number is required."),
        (said, 21602, "Message body is required."),
        (len(form.get("Body", "")) <= MAX_BODY, 21617, "The message body exceeds the 1600 character limit."),
        (callback is None or is_web_address(callback), 21609, "The 'StatusCallback' is not a valid URL."),
    )
    for kept, code, message in rules:
        if not kept:
            raise TwilioError(400, code, message)


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def refuse_if_unreachable(to: str, fault: Fault) -> None:
    fate = magic.phone_fate(to)
    if fate is magic.Fate.INCAPABLE:
        raise TwilioError(400, 21614, f"'To' number is not a valid mobile number: {to}")
    if fault.reject or fate is magic.Fate.INVALID or not PHONE_NUMBER.fullmatch(to):
        raise TwilioError(400, 21211, f"The 'To' number {to} is not a valid phone number.")


def parse(source: str) -> Form:
    return dict(parse_qsl(source, keep_blank_values=True))


def content(source: str, headers: dict[str, str]) -> Content:
    """`headers` without the credentials: the inbox is shown around."""
    form = parse(source)
    shown = {str(name): value for name, value in headers.items() if name.lower() != "authorization"}
    text = form.get("Body", "")
    return Content(
        raw=source, text=text, headers=shown, data={"parameters": form, "num_segments": segments(text)}
    )


def resource(message: Message, form: Form) -> dict[str, Any]:
    """The Message resource with every property that Twilio answers."""
    uri = f"/{VERSION}/Accounts/{message.account}/Messages/{message.state['sid']}"
    at = format_datetime(message.received_at)
    status, error = message.state["status"], message.state["error_code"]
    body = form.get("Body", "")
    return {
        "account_sid": message.account,
        "api_version": VERSION,
        "body": body,
        "date_created": at,
        "date_sent": None if status == "queued" else at,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": error,
        "error_message": "Unreachable destination handset" if error else None,
        "from": form.get("From"),
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": "1" if form.get("MediaUrl") else "0",
        "num_segments": str(segments(body)),
        "price": None,
        "price_unit": None,
        "sid": message.state["sid"],
        "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }
