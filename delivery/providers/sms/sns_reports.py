"""What stands in a topic's post about text messages: reports of deliveries, and replies.

Reports: https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html
As CloudWatch hands logs on: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
Replies: https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import orjson

from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptStatus,
)
from delivery.providers.sns_topic import Posted

_STATUSES = {"SUCCESS": ReceiptStatus.DELIVERED, "FAILURE": ReceiptStatus.FAILED}

_REASONS = (
    ("opted out", "opted_out", ErrorKind.ADDRESS),
    ("invalid phone number", "invalid_number", ErrorKind.ADDRESS),
    ("blocked as spam", "spam", ErrorKind.ADDRESS),
    ("phone carrier has blocked", "carrier_blocked", ErrorKind.ADDRESS),
    ("phone has blocked", "phone_blocked", ErrorKind.ADDRESS),
    ("blocked list", "blocked_list", ErrorKind.ADDRESS),
    ("blacklisted", "blocked_list", ErrorKind.ADDRESS),
    ("message body is invalid", "invalid_body", ErrorKind.ADDRESS),
    ("phone carrier is currently", "carrier_unreachable", ErrorKind.TRANSIENT),
    ("phone is currently", "phone_unreachable", ErrorKind.ADDRESS),
    ("exceed max price", "max_price", ErrorKind.ACCOUNT),
    ("no quota left", "quota", ErrorKind.ACCOUNT),
    ("unknown error", "unknown_error", ErrorKind.TRANSIENT),
)
"""Parts of Amazon's words, which are all it gives: "SMS delivery failure reasons" on the page on reports."""
_PERMANENT = {"opted_out", "invalid_number"}


def parse(posted: Posted) -> list[ParsedReceipt | Inbound]:
    """Raises `ReceiptRefused`."""
    try:
        return [_told(document, posted) for document in _documents(orjson.loads(posted["Message"]))]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ReceiptRefused(f"unreadable: {type(error).__name__}") from None


def _documents(said: Any) -> Iterator[Any]:
    """One, or each line of the log that CloudWatch hands on."""
    if said.get("messageType") == "DATA_MESSAGE":
        yield from (orjson.loads(event["message"]) for event in said["logEvents"])
    elif "messageType" not in said:  # otherwise CloudWatch tries whether anybody is there
        yield said


def _told(document: Any, posted: Posted) -> ParsedReceipt | Inbound:
    return _inbound(document, posted) if "originationNumber" in document else _receipt(document)


def _inbound(document: Any, posted: Posted) -> Inbound:
    return Inbound(
        event_id=document["inboundMessageId"],
        sender=document["originationNumber"],
        to=document["destinationNumber"],
        text=document["messageBody"],
        occurred_at=dt.datetime.fromisoformat(posted["Timestamp"]),
    )


def _receipt(document: Any) -> ParsedReceipt:
    """It brings nothing of ours back: only the id tells which message it speaks of."""
    message_id, word = str(document["notification"]["messageId"]), str(document["status"])
    status = _STATUSES.get(word, ReceiptStatus.UNKNOWN)
    words = str(document["delivery"].get("providerResponse", word))
    return ParsedReceipt(
        event_id=f"{message_id}:{word}",
        message_id=message_id,
        status=status,
        occurred_at=_occurred_at(document),
        error=_failure(words) if status is ReceiptStatus.FAILED else None,
    )


def _occurred_at(document: Any) -> dt.datetime:
    """When it was sent, which is in UTC, and how long it took since."""
    sent_at = dt.datetime.fromisoformat(document["notification"]["timestamp"]).replace(tzinfo=dt.UTC)
    took = document["delivery"]
    return sent_at + dt.timedelta(
        milliseconds=took.get("dwellTimeMsUntilDeviceAck", took.get("dwellTimeMs", 0))
    )


def _failure(words: str) -> ProviderError:
    for part, code, kind in _REASONS:
        if part in words.lower():
            return ProviderError(kind, words, code=code, permanent=code in _PERMANENT)
    return ProviderError(ErrorKind.ADDRESS, words, code="failed")
