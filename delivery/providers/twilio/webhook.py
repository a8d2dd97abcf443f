"""What Twilio posts: how our messages fare, and what people write to us.

https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator

from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
)
from delivery.providers.twilio.errors import error_for

_STATUSES = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.OPENED,
    "undelivered": ReceiptStatus.FAILED,
    "failed": ReceiptStatus.FAILED,
}

Form = dict[str, str]


def verify(request: ReceiptRequest, auth_token: str) -> None:
    signature = request.headers.get("x-twilio-signature", "")
    if not signature or not RequestValidator(auth_token).validate(request.url, _form(request), signature):
        raise ReceiptRefused("the signature does not hold")


def parse(request: ReceiptRequest, channel: str) -> list[ParsedReceipt | Inbound]:
    """`channel` is what the account's addresses begin with, `whatsapp:`; text messages have nothing there.

    Only status callbacks have a `MessageStatus`; only what somebody wrote has been `received`.
    """
    fields = _form(request)
    if "MessageStatus" in fields:
        return [_receipt(fields, dict(parse_qsl(urlsplit(request.url).query)).get("reference", ""))]
    if fields.get("SmsStatus") == "received":
        return [_inbound(fields, channel)]
    raise ReceiptRefused("it is neither a status nor a message")


def _form(request: ReceiptRequest) -> Form:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _receipt(fields: Form, reference: str) -> ParsedReceipt:
    sid, word = fields.get("MessageSid"), fields["MessageStatus"]
    if not sid or not word:
        raise ReceiptRefused("it names no message or no status")
    status = _STATUSES.get(word, ReceiptStatus.UNKNOWN)
    error = _failure(fields) if status is ReceiptStatus.FAILED else None
    return ParsedReceipt(f"{sid}:{word}", sid, status, dt.datetime.now(dt.UTC), error, reference)


def _failure(fields: Form) -> ProviderError:
    """A failure without a code is as good as Twilio's 'unknown error'."""
    code = fields.get("ErrorCode") or "30008"
    words = fields.get("ErrorMessage") or fields["MessageStatus"]
    return error_for(code, ErrorKind.ADDRESS, words)


def _inbound(fields: Form, channel: str) -> Inbound:
    """What a keyword means to Advanced Opt-Out (`OptOutType`) stands beside `Body`, never in its place.

    One by another channel is refused: it would open or close the wrong one. A messaging service with senders
    of several posts all to one URL, unless it leaves that to each sender.
    """
    try:
        sid, sender, to = (fields[name] for name in ("MessageSid", "From", "To"))
    except KeyError as error:
        raise ReceiptRefused(f"a message without {error.args[0]}") from None
    if sender.rpartition(":")[0] != channel.removesuffix(":"):
        raise ReceiptRefused("it came by another channel than the account's")
    text, now = fields.get("Body", ""), dt.datetime.now(dt.UTC)
    return Inbound(sid, sender.removeprefix(channel), to.removeprefix(channel), text, now)
