"""Messages of several parts: recognized, joined in any order, given up in time."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpp34 import DeliverSm, Tlv

from delivery.providers.base import Inbound
from delivery.providers.smpp import joining
from delivery.providers.smpp.joining import PATIENCE, Joining, Part, part_of
from delivery.providers.smpp.receipts import ID_FORMATS, read

TEXTS = ("Please ", "call ", "me back.")


def delivered(octets: bytes, **over: Any) -> DeliverSm:
    fields = {"source_addr_ton": 1, "data_coding": 1, **over}
    return DeliverSm("15005550010", "12345", octets, **fields)


def by_header(number: int, text: str, *, reference: int = 7, total: int = 3, **over: Any) -> DeliverSm:
    header = bytes([5, 0, 3, reference, total, number])
    return delivered(header + text.encode(), esm_class=0x40, **over)


def by_long_reference(number: int, text: str) -> DeliverSm:
    """After another element, and before one."""
    header = bytes([4, 2, 0x0A, 0x0B, 0x08, 4, 1, 2, 3, number, 0x24, 1, 0])
    return delivered(bytes([len(header)]) + header + text.encode(), esm_class=0x40)


def by_parameters(number: int, text: str) -> DeliverSm:
    told = [Tlv(0x020C, b"\1\2"), Tlv(0x020E, b"\3"), Tlv(0x020F, bytes([number]))]
    return delivered(text.encode(), tlvs=told)


def parts(make: Any = by_header) -> list[Part]:
    found = [read(make(number, text), ID_FORMATS["same"]) for number, text in enumerate(TEXTS, 1)]
    return [part for part in found if isinstance(part, Part)]


def added(to: Joining, *given: Part, time: float = 0.0) -> list[Inbound]:
    return [whole for part in given if (whole := to.add(part, time)) is not None]


def part(number: int, octets: bytes, coding: int = 1, total: int = 3) -> Part:
    return Part(("+15005550010", "12345", 0, 7, total), number, octets, coding)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("make", [by_header, by_parameters])
def test_it_works(make: Any, order: tuple[int, ...]) -> None:
    given = parts(make)
    (whole,) = added(Joining(), *(given[place] for place in order))
    assert (whole.sender, whole.to, whole.text) == ("+15005550010", "12345", "Please call me back.")


def test_a_header_may_say_other_things_too() -> None:
    found = [part_of(by_long_reference(number, "x")) for number in (1, 2, 3)]
    assert [(one.number, one.key[2:]) for one in found if one] == [
        (number, (8, 0x0102, 3)) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "pdu",
    [
        delivered(b"Hi"),
        by_header(1, "Hi", total=1),
        by_header(0, "Hi"),
        by_header(4, "Hi"),
        delivered(b"\x05\x00\x03\x07\x03\x01Hi"),  # no header without its flag
        delivered(b"\x06\x05\x04\x00\x50\x00\x00Hi", esm_class=0x40),  # ports
        delivered(b"\x20\x00\x03\x07", esm_class=0x40),
        delivered(b"Hi", tlvs=[Tlv(0x020C, b"\1\2"), Tlv(0x020E, b"\3")]),
    ],
)
def test_what_is_whole_is_no_part(pdu: DeliverSm) -> None:
    assert part_of(pdu) is None
    assert isinstance(read(pdu, ID_FORMATS["same"]), Inbound)


@pytest.mark.parametrize("differs", [{"reference": 8}, {"total": 4}])
def test_parts_of_others_do_not_mix(differs: dict[str, int]) -> None:
    found = part_of(by_header(3, "x", **differs))
    assert found is not None
    assert added(Joining(), *parts()[:2], found) == []


def test_a_character_may_stand_in_two_parts() -> None:
    octets = "Да 🔔".encode("utf-16-be")
    given = [part(number, octets[3 * number - 3 : 3 * number], 8, 4) for number in (1, 2, 3, 4)]
    (whole,) = added(Joining(), *given)
    assert whole.text == "Да 🔔"


def test_each_part_has_its_own_alphabet() -> None:
    given = [part(1, b"Yes \x1be ", 0), part(2, "Да".encode("utf-16-be"), 8), part(3, b"!", 1)]
    (whole,) = added(Joining(), *given)
    assert whole.text == "Yes € Да!"


def test_a_message_is_the_same_until_it_is_kept() -> None:
    joined, given = Joining(), parts()
    (first,) = added(joined, *given)
    (again,) = added(joined, given[2])
    assert again.event_id == first.event_id
    joined.kept(first.event_id)
    assert added(joined, *given) == []
    assert joined.overdue(PATIENCE) == []


def test_a_reference_may_be_used_anew() -> None:
    joined = Joining()
    (first,) = added(joined, *parts())
    joined.kept(first.event_id)
    (second,) = added(joined, part(1, b"Never "), part(2, b"mind"), part(3, b"."))
    assert (second.text, second.event_id == first.event_id) == ("Never mind.", False)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((1, 2), "Please call […]"), ((1, 3), "Please […]me back."), ((2,), "[…]call […]")],
)
def test_what_there_is_is_handed_over_in_time(numbers: tuple[int, ...], text: str) -> None:
    joined, given = Joining(), parts()
    assert added(joined, *(given[number - 1] for number in numbers)) == []
    assert joined.overdue(PATIENCE - 1) == []
    (found,) = joined.overdue(PATIENCE)
    assert found.text == text


def test_it_is_handed_over_until_it_is_kept() -> None:
    joined = Joining()
    added(joined, parts()[0])
    (found,) = joined.overdue(PATIENCE)
    assert joined.overdue(PATIENCE + 1) == [found]
    joined.kept(found.event_id)
    assert joined.overdue(PATIENCE + 2) == []


def test_a_part_that_is_later_still_is_another_message() -> None:
    joined, given = Joining(), parts()
    added(joined, *given[:2])
    (first,) = joined.overdue(PATIENCE)
    assert added(joined, given[2], time=PATIENCE) == []
    assert [found.text for found in joined.all()] == [first.text, "[…]me back."]


def test_too_many_at_once_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_MOST", 2)
    joined = Joining()
    for reference in range(4):
        found = part_of(by_header(1, f"{reference}", reference=reference))
        assert found is not None
        added(joined, found)
    assert [found.text[0] for found in joined.overdue(0.0)] == ["0", "1"]


@given(st.binary(max_size=140), st.integers(0, 255), st.binary(max_size=3), st.binary(max_size=3))
def test_it_reads_whatever_comes(octets: bytes, coding: int, total: bytes, number: bytes) -> None:
    told = [Tlv(0x020C, b"\1"), Tlv(0x020E, total), Tlv(0x020F, number)]
    for pdu in (delivered(octets, esm_class=0x40, data_coding=coding), delivered(octets, tlvs=told)):
        found = part_of(pdu)
        assert found is None or (Joining().add(found, 0.0) is None and found.number >= 1)
