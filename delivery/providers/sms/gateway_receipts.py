"""Receipts and replies that an HTTP gateway posts, as its account's settings describe them."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import orjson

from delivery.providers.base import (
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
)
from delivery.providers.sms.gateway_terms import ErrorRule, Said, find, find_text

WORDS = {
    **dict.fromkeys(("accepted", "acked", "buffered", "enroute", "queued", "sent"), ReceiptStatus.SENT),
    **dict.fromkeys(("delivered", "delivrd"), ReceiptStatus.DELIVERED),
    **dict.fromkeys(
        ("deleted", "expired", "failed", "rejected", "rejectd", "undeliv", "undeliverable", "undelivered"),
        ReceiptStatus.FAILED,
    ),
}
"""What most gateways say, and SMPP's own words (SMPP 3.4, appendix B)."""


def verify(request: ReceiptRequest, *, proof: str, place: str, secret: str) -> None:
    """`proof` is how the gateway shows that it is itself: see `HttpGateway.Settings.receipt_proof`."""
    if proof == "none" or not secret:
        raise ReceiptRefused("the account has nothing to verify it by")
    query = dict(parse_qsl(urlsplit(request.url).query))
    given = query.get(place, "") if proof == "parameter" else request.headers.get(place.lower(), "")
    if not any(hmac.compare_digest(given.encode(), one.encode()) for one in _proofs(request, proof, secret)):
        raise ReceiptRefused("the signature does not hold" if "hmac" in proof else "the secret is not ours")


def _proofs(request: ReceiptRequest, proof: str, secret: str) -> list[str]:
    """Any of these will do. A request without a body would have the same signature each time."""
    if not proof.startswith("hmac_"):
        return [secret]
    algorithm = proof.removeprefix("hmac_")
    digest = hmac.digest(secret.encode(), request.body, algorithm)
    spelled = [digest.hex(), base64.b64encode(digest).decode()]
    return [*spelled, *(f"{algorithm}={one}" for one in spelled)] if request.body else []


def parse(
    request: ReceiptRequest,
    *,
    fields: Mapping[str, str],
    statuses: Mapping[str, ReceiptStatus],
    rules: Sequence[ErrorRule],
) -> list[ParsedReceipt | Inbound]:
    """`fields` are expressions: items, message_id, status, code and reference; sender, recipient and text.

    What has a text and a sender, and no status, is a reply.
    """
    said = _said(request)
    reference = dict(parse_qsl(urlsplit(request.url).query)).get("reference", "")
    items = _items(find(fields["items"], said)) if fields.get("items") else [said]
    return [_reply(item, fields) or _receipt(item, reference, fields, statuses, rules) for item in items]


def _reply(said: Said, fields: Mapping[str, str]) -> Inbound | None:
    """One without an id of its own is a new one each time."""
    message_id, status, sender, recipient, text = (
        find_text(fields.get(name, ""), said)
        for name in ("message_id", "status", "sender", "recipient", "text")
    )
    if status or not (sender and text):
        return None
    sender = f"+{sender}" if sender.isdigit() and not sender.startswith("0") else sender
    return Inbound(message_id or str(uuid4()), sender, recipient, text, dt.datetime.now(dt.UTC))


def _said(request: ReceiptRequest) -> Said:
    """JSON, or a form's fields, or the URL's where there is no body."""
    said = Said.of(request.body)
    if said.document is not None:
        return said
    text = said.text if request.body else urlsplit(request.url).query
    return Said(text, dict(parse_qsl(text)))


def _items(found: Any) -> list[Said]:
    if not isinstance(found, list):
        raise ReceiptRefused("it has no list of receipts where it should")
    return [Said(orjson.dumps(item).decode(), item) for item in found]


def _receipt(
    said: Said,
    reference: str,
    fields: Mapping[str, str],
    statuses: Mapping[str, ReceiptStatus],
    rules: Sequence[ErrorRule],
) -> ParsedReceipt:
    message_id, word, code, own = (
        find_text(fields.get(name, ""), said) for name in ("message_id", "status", "code", "reference")
    )
    reference = own or reference
    if not word or not (message_id or reference):
        raise ReceiptRefused("it names no message or no status")
    status = _status(word, statuses)
    return ParsedReceipt(
        event_id=f"{message_id or reference}:{word}:{code}",
        message_id=message_id,
        status=status,
        occurred_at=dt.datetime.now(dt.UTC),
        error=_failure(said, code or word, rules) if status is ReceiptStatus.FAILED else None,
        reference=reference,
    )


def _status(word: str, statuses: Mapping[str, ReceiptStatus]) -> ReceiptStatus:
    own = {name.lower(): status for name, status in statuses.items()}
    return own.get(word.lower()) or WORDS.get(word.lower(), ReceiptStatus.UNKNOWN)


def _failure(said: Said, code: str, rules: Sequence[ErrorRule]) -> ProviderError:
    for rule in rules:
        if rule.fits(said, None):
            return rule.error(code)
    return ProviderError(ErrorKind.ADDRESS, f"the gateway said {code}", code=code)
