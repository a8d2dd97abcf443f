"""Long messages that people wrote, joined from their parts: an SMSC delivers these one by one, in any order.

Which belong together stands in a user data header (3GPP TS 23.040, sections 9.2.3.24.1 and 9.2.3.24.8) or in
the parameters sar_* (SMPP 3.4, sections 5.3.2.22 to 5.3.2.24).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import uuid4

from delivery.providers.base import Inbound
from delivery.providers.smpp.texts import UDH, said, source_of, text_of, without_header

if TYPE_CHECKING:
    from smpp34 import DeliverSm

PATIENCE = 180.0
"""Seconds after the first part in which the others have to come: networks take a minute at worst."""
_MOST = 1_000
"""Messages that may be incomplete at once."""
_MISSING = "[…]"
_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER = 0x020C, 0x020E, 0x020F
_JOINED = {0x00: 1, 0x08: 2}
"""The elements of a header that join messages, and how many octets each has for its reference."""

Key = tuple[str, str, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """`number` counts from 1. Parts of one message have a `key` in common."""

    key: Key
    number: int
    octets: bytes
    coding: int


def part_of(pdu: DeliverSm) -> Part | None:
    """The part that a deliver_sm is; None for a whole message."""
    parameters = {parameter.tag: parameter.value for parameter in pdu.tlvs}
    joined = _by_header(pdu) or _by_parameters(parameters)
    if joined is None:
        return None
    kind, reference, total, number = joined
    if not 1 <= number <= total or total < 2:
        return None
    key = (source_of(pdu), pdu.destination_addr, kind, reference, total)
    return Part(key, number, without_header(pdu), pdu.data_coding)


def _by_header(pdu: DeliverSm) -> tuple[int, int, int, int] | None:
    octets = said(pdu)
    if not (pdu.esm_class & UDH and octets):
        return None
    for element, value in _elements(octets[1 : 1 + octets[0]]):
        width = _JOINED.get(element)
        if width is not None and len(value) == width + 2:
            return element, int.from_bytes(value[:width]), value[width], value[width + 1]
    return None


def _elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 2 <= len(header):
        length = header[place + 1]
        yield header[place], header[place + 2 : place + 2 + length]
        place += 2 + length


def _by_parameters(parameters: Mapping[int, bytes]) -> tuple[int, int, int, int] | None:
    told = [parameters.get(tag) for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER)]
    numbers = [int.from_bytes(value) for value in told if value]
    return (_SAR_REFERENCE, numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


@dataclass(slots=True)
class _Message:
    """What has come of one. It has one id from the first part on, however often it is handed over."""

    since: float
    parts: dict[int, Part] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid4()))
    is_kept: bool = False


class Joining:
    """By `time`, a reading of the loop's clock. A message is held until `kept` says that it is."""

    def __init__(self) -> None:
        self._messages: dict[Key, _Message] = {}
        self._over: dict[str, Inbound] = {}

    def add(self, part: Part, time: float) -> Inbound | None:
        """The whole message, when this was the part that it lacked; also when that comes again unkept."""
        message = self._messages.get(part.key)
        if message is not None and message.is_kept and message.parts.get(part.number) == part:
            return None
        if message is None or message.is_kept:  # then the reference is used anew
            message = self._messages[part.key] = _Message(time)
        message.parts[part.number] = part
        return _written(part.key, message) if len(message.parts) == _total(part.key) else None

    def kept(self, id: str) -> None:
        """Its parts are known until their time is over, should the SMSC repeat one."""
        self._over.pop(id, None)
        for message in self._messages.values():
            message.is_kept = message.is_kept or message.id == id

    def overdue(self, time: float) -> list[Inbound]:
        """What is not kept of messages whose time is over, or of which there are too many."""
        excess = list(self._messages)[: max(0, len(self._messages) - _MOST)]
        late = [key for key, message in self._messages.items() if time - message.since >= PATIENCE]
        for key in dict.fromkeys(excess + late):
            message = self._messages.pop(key)
            if not message.is_kept:
                self._over[message.id] = _written(key, message)
        return list(self._over.values())

    def all(self) -> list[Inbound]:
        """As if the time of every message were over."""
        return self.overdue(float("inf"))


def _total(key: Key) -> int:
    return key[-1]


def _written(key: Key, message: _Message) -> Inbound:
    source, destination = key[:2]
    text = _text(message.parts, _total(key))
    return Inbound(message.id, source, destination, text, dt.datetime.now(dt.UTC))


def _text(parts: Mapping[int, Part], total: int) -> str:
    """Parts that follow each other are decoded as one: a character may stand in two of them."""
    codings = [parts[number].coding if number in parts else None for number in range(1, total + 1)]
    runs = groupby(range(1, total + 1), lambda number: codings[number - 1])
    return "".join(
        _MISSING if coding is None else text_of(b"".join(parts[number].octets for number in run), coding)
        for coding, run in runs
    )
