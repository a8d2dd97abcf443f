"""What goes to the sockets: frames, who they are for, and how a chunk of them travels through Valkey.

A chunk is one message. Each of its lines is for one recipient: the address, then the frames, tabs between.
All of them are JSON, which never holds a raw tab or line break, so that a web process finds the sockets it
holds and writes the frames as they are: encoded once, by whoever sent them, and never parsed on the way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Address:
    """Whose sockets: the identity in a recipient's token.

    Not our row's id, because a socket may be open before the directory knows its recipient, and stays open
    when that row is erased and made again.
    """

    tenant_id: UUID
    type: str
    external_id: str

    def key(self) -> bytes:
        """As JSON, in which no two addresses look alike, whatever a tenant puts into its ids."""
        return orjson.dumps([self.tenant_id, self.type, self.external_id])


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame for every socket of a recipient. `seq` is that of the item it brings."""

    to: Address
    type: str
    data: Mapping[str, Any]
    seq: int | None = None


def encode(
    frame_type: str,
    data: Mapping[str, Any] | None = None,
    *,
    seq: int | None = None,
    ref: str | int | None = None,
) -> bytes:
    """`{"type","data"?,"seq"?,"ref"?}`"""
    members = {"type": frame_type, "data": data, "seq": seq, "ref": ref}
    present = {name: value for name, value in members.items() if value is not None}
    return orjson.dumps(present, option=orjson.OPT_UTC_Z)


_TEXT = 0x81  # the last, and only, fragment of a text message
_SHORT, _MEDIUM, _LONG = Struct("!BB"), Struct("!BBH"), Struct("!BBQ")


def wire(frames: Iterable[bytes]) -> bytes:
    """As they stand on the wire: a server's text frames, which are not masked (RFC 6455, section 5.2)."""
    return b"".join(part for frame in frames for part in (_head(len(frame)), frame))


def _head(size: int) -> bytes:
    if size < 126:
        return _SHORT.pack(_TEXT, size)
    return _MEDIUM.pack(_TEXT, 126, size) if size < 1 << 16 else _LONG.pack(_TEXT, 127, size)


def pack(frames: Iterable[Frame]) -> bytes:
    lines: dict[Address, list[bytes]] = {}
    for frame in frames:
        line = lines.setdefault(frame.to, [frame.to.key()])
        line.append(encode(frame.type, frame.data, seq=frame.seq))
    return b"\n".join(map(b"\t".join, lines.values()))


def unpack(message: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """The key of each address with its encoded frames."""
    for line in message.split(b"\n"):
        key, *frames = line.split(b"\t")
        yield key, frames
