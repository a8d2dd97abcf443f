"""What Meta posts: how our messages fare, and what people write to us.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from delivery.providers.base import Inbound, ParsedReceipt, ReceiptRefused, ReceiptRequest, ReceiptStatus
from delivery.providers.whatsapp.meta_errors import failure

_STATUSES = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.OPENED,
    "failed": ReceiptStatus.FAILED,
}
_NOT_THEIR_WORDS = {"system"}
"""WhatsApp's own words about somebody: they changed their number."""

Object = Mapping[str, Any]


def challenge(request: ReceiptRequest, verify_token: str) -> str:
    query = dict(parse_qsl(urlsplit(request.url).query))
    token = query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(token.encode(), verify_token.encode()):
        raise ReceiptRefused("it does not know the verify token")
    return query.get("hub.challenge", "")


def verify(request: ReceiptRequest, app_secret: str) -> None:
    signed = f"sha256={hmac.new(app_secret.encode(), request.body, hashlib.sha256).hexdigest()}"
    if not hmac.compare_digest(signed.encode(), request.headers.get("x-hub-signature-256", "").encode()):
        raise ReceiptRefused("the signature does not hold")


def parse(body: bytes, phone_number_id: str) -> list[ParsedReceipt | Inbound]:
    """What concerns this number, of the many things that one post may hold.

    The signature is the app's, whose numbers may be accounts of several tenants: what is told of another
    number is not believed here. It is passed over and not refused, for Meta would post it again for days.
    """
    mine = [value for value in _values(body) if _metadata(value).get("phone_number_id") == phone_number_id]
    receipts = [_receipt(status) for value in mine for status in _objects(value, "statuses")]
    replies = [
        _inbound(message, _metadata(value)) for value in mine for message in _objects(value, "messages")
    ]
    return [item for item in (*receipts, *replies) if item is not None]


def _values(body: bytes) -> Iterator[Object]:
    """Of each change of each entry. Fields other than `messages` are about templates and the account."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, Mapping) or document.get("object") != "whatsapp_business_account":
        raise ReceiptRefused("it is not about a WhatsApp business account")
    for entry in _objects(document, "entry"):
        for change in _objects(entry, "changes"):
            if change.get("field") == "messages" and isinstance(change.get("value"), Mapping):
                yield change["value"]


def _objects(parent: Object, name: str) -> list[Object]:
    found = parent.get(name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _metadata(value: Object) -> Object:
    found = value.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _receipt(told: Object) -> ParsedReceipt | None:
    id, word = told.get("id"), told.get("status")
    if not (isinstance(id, str) and isinstance(word, str)):
        return None
    status = _STATUSES.get(word, ReceiptStatus.UNKNOWN)
    error = failure(told.get("errors")) if status is ReceiptStatus.FAILED else None
    reference = str(told.get("biz_opaque_callback_data") or "")
    return ParsedReceipt(f"{id}:{word}", id, status, _when(told), error, reference)


def _inbound(message: Object, metadata: Object) -> Inbound | None:
    """None where it is nobody's words, or the person's number is kept from us behind a user name:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
    """
    id, sender = message.get("id"), _e164(message.get("from"))
    if not isinstance(id, str) or not sender or str(message.get("type")) in _NOT_THEIR_WORDS:
        return None
    to = _e164(metadata.get("display_phone_number"))
    return Inbound(id, sender, to, _text(message), _when(message))


def _text(message: Object) -> str:
    """What they typed, beside a file too, or what stood on the button they chose; else nothing."""
    match message.get(str(message.get("type"))):
        case {"body": str(text)} | {"text": str(text)} | {"caption": str(text)}:
            return text
        case {"button_reply": {"title": str(text)}} | {"list_reply": {"title": str(text)}}:
            return text
    return ""


def _e164(number: Any) -> str:
    """Meta writes numbers in digits alone; a dashboard's spelling has spaces and lines."""
    digits = re.sub(r"[+\s()-]", "", str(number or ""))
    return f"+{digits}" if re.fullmatch(r"[1-9][0-9]{5,14}", digits) else ""


def _when(told: Object) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(int(told["timestamp"]), dt.UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return dt.datetime.now(dt.UTC)
