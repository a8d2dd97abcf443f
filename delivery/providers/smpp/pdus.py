"""What goes over the wire: a header of four numbers, then the body (SMPP 3.4, section 3.2).

`smpp34` encodes and reads the PDUs that carry messages. It is imported when the first one passes: seven
megabytes that a process without a bind has no use for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smpp34 import DeliverSm

_HEADER = struct.Struct(">IIII")
LARGEST = 70_000
"""Octets of a PDU: a message_payload has 64 KB (section 5.3.2.32)."""
ANSWER = 0x8000_0000
"""What a command's answer adds to its number."""
_VERSION = 0x34


class Command(IntEnum):
    """Section 5.1.2.1."""

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER = 1
    BIND_TRANSMITTER = 2
    SUBMIT_SM = 4
    DELIVER_SM = 5
    UNBIND = 6
    BIND_TRANSCEIVER = 9
    ENQUIRE_LINK = 0x15


class Status(IntEnum):
    """Those that we answer with (section 5.1.3)."""

    OK = 0
    INVALID_COMMAND = 0x03
    TRY_AGAIN = 0x64  # ESME_RX_T_APPN
    NEVER = 0x65  # ESME_RX_P_APPN


class Garbled(Exception):  # noqa: N818 - a state of the line
    """What came is no SMPP: nothing that follows on this connection can be understood."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU as it came."""

    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def text(self) -> str:
        """The body's first field, where that is a C-octet string: a message_id, a system_id."""
        return self.body.partition(b"\0")[0].decode("latin-1")


def frame(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body


def unframe(received: bytearray) -> Iterator[Pdu]:
    """The PDUs that have come whole, taken off `received`. Raises `Garbled`."""
    while len(received) >= _HEADER.size:
        length, command, status, sequence = _HEADER.unpack_from(received)
        if not _HEADER.size <= length <= LARGEST:
            raise Garbled(f"a PDU of {length} octets")
        if len(received) < length:
            return
        body = bytes(received[_HEADER.size : length])
        del received[:length]
        yield Pdu(command, status, sequence, body)


def bind_body(system_id: str, password: str, system_type: str) -> bytes:
    """Section 4.1.5: credentials, the version, and no wish for certain addresses only."""
    named = b"".join(field.encode() + b"\0" for field in (system_id, password, system_type))
    return named + bytes([_VERSION, 0, 0]) + b"\0"


def submit_body(**fields: Any) -> bytes:
    """Section 4.4.1; `fields` are those of `smpp34.SubmitSm`. Raises ValueError for what does not fit."""
    from smpp34 import SubmitSm  # noqa: PLC0415

    return SubmitSm(**fields).encode()[_HEADER.size :]


def tlv(tag: int, value: bytes) -> Any:
    """An optional parameter of a `submit_sm` (section 5.3)."""
    from smpp34 import Tlv  # noqa: PLC0415

    return Tlv(tag, value)


def read_deliver_sm(pdu: Pdu) -> DeliverSm | None:
    """Section 4.6.1; None for one that cannot be read."""
    from smpp34 import DeliverSm, SmppError, decode  # noqa: PLC0415

    try:
        read = decode(frame(pdu.command, pdu.status, pdu.sequence, pdu.body))
    except SmppError:
        return None
    return read if isinstance(read, DeliverSm) else None
