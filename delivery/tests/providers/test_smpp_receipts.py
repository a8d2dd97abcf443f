"""What an SMSC delivers, read: SMPP 3.4, section 5.2.12 and Appendix B, and what vendors make of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpp34 import DeliverSm, Tlv

from delivery.providers.base import ErrorKind, Inbound, ParsedReceipt, ReceiptStatus
from delivery.providers.smpp.receipts import ID_FORMATS, read

SAME = ID_FORMATS["same"]
TEXT = (
    "id:{id} sub:001 dlvrd:001 submit date:2611210700 done date:2611210701 stat:{stat} err:{err} text:id:9 Hi"
)


def delivered(text: str = "", **over: Any) -> DeliverSm:
    return DeliverSm("15005550010", "Shop", text.encode("latin-1"), **{"esm_class": 4, **over})


def receipt(text: str = "", ids: str = "same", **over: Any) -> ParsedReceipt:
    found = read(delivered(text, **over), ID_FORMATS[ids])
    assert isinstance(found, ParsedReceipt)
    return found


def test_it_works() -> None:
    found = receipt(TEXT.format(id="0A1B", stat="DELIVRD", err="000"))
    assert (found.message_id, found.status, found.error) == ("0A1B", ReceiptStatus.DELIVERED, None)
    assert found.event_id == "0A1B.DELIVRD.2611210701"


@pytest.mark.parametrize(
    ("stat", "status"),
    [
        ("DELIVRD", ReceiptStatus.DELIVERED),
        ("delivrd", ReceiptStatus.DELIVERED),
        ("ACCEPTD", ReceiptStatus.SENT),
        ("ENROUTE", ReceiptStatus.SENT),
        ("UNDELIV", ReceiptStatus.FAILED),
        ("EXPIRED", ReceiptStatus.FAILED),
        ("DELETED", ReceiptStatus.FAILED),
        ("REJECTD", ReceiptStatus.FAILED),
        ("REJECTED", ReceiptStatus.FAILED),
        ("UNKNOWN", ReceiptStatus.UNKNOWN),
        ("NEXTYEAR", ReceiptStatus.UNKNOWN),
    ],
)
def test_it_knows_the_states(stat: str, status: ReceiptStatus) -> None:
    found = receipt(TEXT.format(id="1", stat=stat, err="069"))
    assert found.status is status
    if status is ReceiptStatus.FAILED:
        assert found.error is not None
        assert (found.error.kind, found.error.permanent) == (ErrorKind.ADDRESS, False)
        assert found.error.code.endswith(":069")
    else:
        assert found.error is None


@pytest.mark.parametrize(
    "text",
    [
        "id:7 submitdate:180122230957 donedate:180122230958 stat:DELIVRD err:000 text:",  # OpenMarket's
        "ID:7 SUB:1 DLVRD:1 STAT:DELIVRD ERR:0 TEXT:",
        "stat:DELIVRD id:7",
        "id: 7 sub:001 stat: DELIVRD",
    ],
)
def test_it_reads_what_vendors_make_of_the_text(text: str) -> None:
    found = receipt(text)
    assert (found.message_id, found.status) == ("7", ReceiptStatus.DELIVERED)


def test_it_reads_the_parameters_first() -> None:
    """Sections 5.3.2.12 and 5.3.2.35"""
    tlvs = [Tlv(0x001E, b"ABC\0"), Tlv(0x0427, b"\x05")]
    assert receipt(tlvs=tlvs).message_id == "ABC"
    found = receipt(TEXT.format(id="1", stat="DELIVRD", err="000"), tlvs=tlvs)
    assert (found.message_id, found.status) == ("ABC", ReceiptStatus.FAILED)


def test_it_reads_a_text_in_a_payload() -> None:
    payload = Tlv(0x0424, TEXT.format(id="7", stat="DELIVRD", err="000").encode())
    assert receipt(tlvs=[payload]).message_id == "7"


@pytest.mark.parametrize(
    ("ids", "answer", "text"),
    [
        ("same", "1F", "1F"),
        ("hex_in_answers", "0000001f", "0031"),
        ("hex_in_answers", "not-a-number", "not-a-number"),
        ("hex_in_receipts", "31", "1F"),
    ],
)
def test_it_knows_an_id_that_is_spelled_in_two_ways(ids: str, answer: str, text: str) -> None:
    """https://help.nexmo.com/hc/en-us/articles/204015663-What-is-Nexmo-s-SMPP-DLR-format-"""
    sent = ID_FORMATS[ids].of_answer(answer)
    assert receipt(TEXT.format(id=text, stat="DELIVRD", err="000"), ids).message_id == sent
    assert receipt("stat:DELIVRD", ids, tlvs=[Tlv(0x001E, answer.encode() + b"\0")]).message_id == sent


def test_a_repeated_receipt_has_the_same_id_and_the_next_state_another() -> None:
    first, again = (receipt(TEXT.format(id="1", stat="DELIVRD", err="000")) for _ in range(2))
    before = receipt(TEXT.format(id="1", stat="ACCEPTD", err="000"), esm_class=0x20)
    assert first.event_id == again.event_id != before.event_id


@pytest.mark.parametrize("text", ["", "stat:DELIVRD", "text:id:7"])
def test_one_without_an_id_says_nothing(text: str) -> None:
    assert read(delivered(text), SAME) is None


@pytest.mark.parametrize("esm_class", [0x08, 0x10])
def test_a_phones_own_acknowledgement_says_nothing(esm_class: int) -> None:
    assert read(delivered("id:7 stat:DELIVRD", esm_class=esm_class), SAME) is None


@pytest.mark.parametrize(
    ("octets", "fields", "text"),
    [
        (b"Yes \x1be", {}, "Yes €"),
        ("Да ☕".encode("utf-16-be"), {"data_coding": 8}, "Да ☕"),
        ("Größe".encode("latin-1"), {"data_coding": 3}, "Größe"),
        (b"STOP", {"data_coding": 1}, "STOP"),
        (b"\x06\x05\x04\x00\x50\x00\x00STOP", {"esm_class": 0x40}, "STOP"),
        (b"\xff", {"data_coding": 1}, "\ufffd"),
        (b"", {"tlvs": [Tlv(0x0424, b"Hi")]}, "Hi"),
    ],
)
def test_it_reads_what_people_write(octets: bytes, fields: dict[str, Any], text: str) -> None:
    pdu = DeliverSm("15005550010", "12345", octets, **{"source_addr_ton": 1, **fields})
    found = read(pdu, SAME)
    assert isinstance(found, Inbound)
    assert (found.sender, found.to, found.text) == ("+15005550010", "12345", text)


@given(st.binary(max_size=254), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=10))
def test_it_reads_whatever_comes(octets: bytes, esm_class: int, coding: int, value: bytes) -> None:
    tlvs = [Tlv(0x001E, value), Tlv(0x0427, value)]
    read(DeliverSm("1", "2", octets, esm_class=esm_class, data_coding=coding, tlvs=tlvs), SAME)
