"""From a message to the bodies of its submit_sm, one a part (SMPP 3.4, section 4.4.1)."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from delivery.providers.base import ErrorKind, Message, ProviderError
from delivery.providers.smpp.pdus import submit_body, tlv
from templates_app import gsm
from templates_app.gsm import Encoding

_UNKNOWN, _INTERNATIONAL, _NETWORK_SPECIFIC, _ALPHANUMERIC = 0, 1, 3, 5  # section 5.2.5
_ISDN = 1  # section 5.2.6: E.164
_UDH_PRESENT = 0x40  # esm_class, section 5.2.12
_CODINGS = {Encoding.GSM_7: 0x00, Encoding.UCS_2: 0x08}  # section 5.2.19
_REGISTERED = {"none": 0, "all": 1, "failures": 2}  # section 5.2.17
_SAR_MSG_REF_NUM, _SAR_TOTAL_SEGMENTS, _SAR_SEGMENT_SEQNUM = 0x020C, 0x020E, 0x020F
_MESSAGE_PAYLOAD = 0x0424
_MOST_PARTS = 255

_references = itertools.count(random.randrange(256))
"""One for each message of several parts: a phone joins the parts of one sender by it."""


@lru_cache(maxsize=256)
def source(sender: str) -> dict[str, Any]:
    """Type and plan of our own address: https://www.infobip.com/glossary/ton-npi-settings"""
    digits = sender.removeprefix("+")
    if not digits.isdecimal():
        ton, npi = (_ALPHANUMERIC, 0) if sender else (_UNKNOWN, 0)
    elif sender.startswith("+"):
        ton, npi = _INTERNATIONAL, _ISDN
    else:
        ton, npi = (_NETWORK_SPECIFIC, 0) if len(digits) <= 8 else (_UNKNOWN, _ISDN)
    return {"source_addr": digits, "source_addr_ton": ton, "source_addr_npi": npi}


@dataclass(frozen=True, slots=True)
class Submission:
    """How an account sends: from whom, with which receipts, and how long messages are joined."""

    sender: str
    registered_delivery: str
    long_messages: str

    def bodies(self, message: Message) -> list[bytes]:
        """Raises `ProviderError` for what SMPP cannot carry."""
        text = message.content.body
        encoding = gsm.encoding_of(text)
        parts = [gsm.encode(part, encoding) for part in gsm.split(text, encoding)]
        if len(parts) > _MOST_PARTS:
            raise ProviderError(ErrorKind.ADDRESS, f"more than {_MOST_PARTS} parts", code="too_long")
        common = self._common(message, encoding)
        joined = _single if len(parts) == 1 else _JOINED[self.long_messages]
        try:
            return [submit_body(**common, **part) for part in joined(parts)]
        except ValueError as error:
            raise ProviderError(ErrorKind.ADDRESS, str(error), code="bad_message") from None

    def _common(self, message: Message, encoding: Encoding) -> dict[str, Any]:
        fields = {
            **source(message.overrides.get("sender") or self.sender),
            "destination_addr": message.to.removeprefix("+"),
            "dest_addr_ton": _INTERNATIONAL,
            "dest_addr_npi": _ISDN,
            "registered_delivery": _REGISTERED[self.registered_delivery],
            "data_coding": _CODINGS[encoding],
        }
        if message.expires_at is not None:  # section 7.1.1: an absolute time, no quarters from UTC
            fields["validity_period"] = message.expires_at.astimezone(dt.UTC).strftime("%y%m%d%H%M%S000+")
        return fields


def _single(parts: list[bytes]) -> Iterator[dict[str, Any]]:
    yield {"short_message": parts[0]}


def _by_udh(parts: list[bytes]) -> Iterator[dict[str, Any]]:
    """3GPP TS 23.040, section 9.2.3.24.1: concatenated short messages, 8-bit reference number."""
    reference = next(_references) % 256
    for number, part in enumerate(parts, 1):
        header = bytes([5, 0, 3, reference, len(parts), number])
        yield {"short_message": header + part, "esm_class": _UDH_PRESENT}


def _by_sar(parts: list[bytes]) -> Iterator[dict[str, Any]]:
    """Sections 5.3.2.22 to 24: the SMSC makes the headers."""
    reference = (next(_references) % 65536).to_bytes(2)
    for number, part in enumerate(parts, 1):
        yield {
            "short_message": part,
            "tlvs": [
                tlv(_SAR_MSG_REF_NUM, reference),
                tlv(_SAR_TOTAL_SEGMENTS, bytes([len(parts)])),
                tlv(_SAR_SEGMENT_SEQNUM, bytes([number])),
            ],
        }


def _by_payload(parts: list[bytes]) -> Iterator[dict[str, Any]]:
    """Section 5.3.2.32: the SMSC makes the parts, and one id for all of them."""
    yield {"tlvs": [tlv(_MESSAGE_PAYLOAD, b"".join(parts))]}


_JOINED: dict[str, Callable[[list[bytes]], Iterator[dict[str, Any]]]] = {
    "udh": _by_udh,
    "sar": _by_sar,
    "payload": _by_payload,
}
