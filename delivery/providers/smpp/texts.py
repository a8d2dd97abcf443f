"""The text of a deliver_sm: where it stands, and in which alphabet (SMPP 3.4, section 5.2.19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from templates_app.gsm import Encoding, decode

if TYPE_CHECKING:
    from smpp34 import DeliverSm

UDH = 0x40
"""In esm_class: the text begins with a user data header."""
_INTERNATIONAL = 1
_MESSAGE_PAYLOAD = 0x0424


def said(pdu: DeliverSm) -> bytes:
    """Its octets, with the user data header where it has one."""
    return pdu.short_message or next((p.value for p in pdu.tlvs if p.tag == _MESSAGE_PAYLOAD), b"")


def without_header(pdu: DeliverSm) -> bytes:
    octets = said(pdu)
    return octets[1 + octets[0] :] if pdu.esm_class & UDH and octets else octets


def source_of(pdu: DeliverSm) -> str:
    """Who wrote."""
    return f"+{pdu.source_addr}" if pdu.source_addr_ton == _INTERNATIONAL else pdu.source_addr


def text_of(octets: bytes, coding: int) -> str:
    """By data_coding."""
    if coding == 0x03:
        return octets.decode("latin-1")
    if coding in {0x01, 0x02, 0x04}:
        return octets.decode("ascii", "replace")
    return decode(octets, Encoding.UCS_2 if coding & 0x0C == 0x08 else Encoding.GSM_7)
