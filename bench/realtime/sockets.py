"""The browsers: many sockets in one lean process, which count what comes and note when.

`python -m bench.realtime.sockets`. A websocket client by the book costs more a frame than the server that is
measured. This one walks the headers in the raw bytes (RFC 6455, section 5.2) and looks into a frame only
for the number of the chunk that it came with. Times are `time.monotonic()`, which all processes of a machine
share.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import orjson
import uvloop

from bench.children import obey_on_loop
from bench.realtime.chunks import MARK, NUMBER
from config.limits import raise_open_files

IN_FLIGHT = 50
"""Connections that are being made at a time."""
_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n{offer}\r\n"
)
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
_PONG = 0x8A
_NO_MASK = bytes(4)  # a mask that changes nothing: a client's frames must have one (section 5.3)

Arrivals = defaultdict[str, list[float]]
"""When frames came, by the number of their chunk."""


class UnexpectedError(Exception):
    """The server refused, closed, or sent what this reader does not know."""


class Socket(asyncio.Protocol):
    """One connection. It is open when the first frame has come: the server's greeting."""

    def __init__(self, request: bytes, arrivals: Arrivals) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.caught_up: asyncio.Future[int] | None = None
        self._request = request
        self._arrivals = arrivals
        self._rest = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is none by class
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(UnexpectedError("closed before its greeting"))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self._rest:
            data = self._rest + data
        start = 0 if self._upgraded else self._upgrade(data)
        self._rest = data[self._walk(data, start, now) :]

    def _upgrade(self, data: bytes) -> int:
        """Where the frames begin."""
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return 0
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 101") or b"permessage-deflate" in head:
            self.opened.set_exception(UnexpectedError(head.decode()))
            self.transport.abort()
        self._upgraded = True
        return end

    def _walk(self, data: bytes, start: int, now: float) -> int:
        """Take every whole frame; where the one that is not there yet begins."""
        have = len(data)
        while self._upgraded and have - start >= 2:
            size, begin = data[start + 1], start + 2
            if size >= 126:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(data[start + 2 : begin])
            if begin + size > have:
                break
            self._take(data[start], data, begin, begin + size, now)
            start = begin + size
        return start

    def _take(self, kind: int, data: bytes, begin: int, end: int, now: float) -> None:
        if kind == _TEXT and (mark := data.find(MARK, begin, end)) > 0:
            mark += len(MARK)
            self._arrivals[data[mark : mark + NUMBER].decode()].append(now)
        elif kind == _TEXT:
            self._hear(data[begin:end])
        elif kind == _PING:
            self.say(_PONG, data[begin:end])
        elif not self.opened.done():
            self.opened.set_exception(UnexpectedError(repr(data[begin:end])))

    def _hear(self, frame: bytes) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
        elif self.caught_up is not None and b"catch-up-complete" in frame:
            self.caught_up.set_result(orjson.loads(frame)["data"]["count"])

    def say(self, kind: int, payload: bytes) -> None:
        """At most 125 bytes."""
        self.transport.write(bytes((kind, 0x80 | len(payload))) + _NO_MASK + payload)


class Sockets:
    """All that are open, by the name of the server that they belong to."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, Socket]] = defaultdict(dict)
        self._arrivals: Arrivals = defaultdict(list)

    async def connect(self, server: str, port: int, doors: Sequence[tuple[str, str]]) -> float:
        """One socket for each (path, subprotocols); how many seconds until all had their greeting."""
        began, waiting = time.monotonic(), iter(enumerate(doors))
        await asyncio.gather(*(self._connect(server, port, waiting) for _ in range(IN_FLIGHT)))
        return time.monotonic() - began

    async def _connect(self, server: str, port: int, waiting: Any) -> None:
        loop = asyncio.get_running_loop()
        for place, (path, protocols) in waiting:
            offer = f"Sec-WebSocket-Protocol: {protocols}\r\n" if protocols else ""
            request = _REQUEST.format(path=path, port=port, offer=offer).encode()
            socket = Socket(request, self._arrivals)
            await loop.create_connection(lambda socket=socket: socket, "127.0.0.1", port)  # type: ignore[misc]
            await socket.opened
            self._open[server][place] = socket

    async def resume(self, server: str, after: int) -> tuple[float, int]:
        """How many seconds a catch-up took the first socket, and how many items came."""
        socket = self._open[server][0]
        socket.caught_up = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        socket.say(_TEXT, orjson.dumps({"type": "resume", "data": {"after": after}}))
        count = await socket.caught_up
        return time.monotonic() - began, count

    async def leave(self, server: str) -> int:
        sockets = self._open.pop(server, {})
        for socket in sockets.values():
            socket.transport.abort()
        return len(sockets)

    def count(self) -> int:
        return sum(map(len, self._arrivals.values()))

    def take(self) -> Arrivals:
        """When each chunk's frames came, and forget them."""
        taken = self._arrivals.copy()
        self._arrivals.clear()
        return taken


async def main() -> None:
    raise_open_files()
    sockets = Sockets()
    commands: dict[str, Any] = {
        "connect": sockets.connect,
        "resume": sockets.resume,
        "leave": sockets.leave,
        "count": sockets.count,
        "take": sockets.take,
    }
    await obey_on_loop(commands)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main())
