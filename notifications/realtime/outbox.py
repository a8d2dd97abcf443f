"""What goes to one socket, in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from notifications.realtime.direct import Write, refuse
from notifications.realtime.frames import wire

OUTBOX_FRAMES = 1000
OUTBOX_BYTES = 4 * 1024 * 1024


class Outbox:
    """Frames go straight to the wire as long as the reader keeps up: no queue, no task, no turn of the loop.

    What a slow reader leaves waits here for a writer of its own. That is bounded: one who leaves too much is
    let go. Nothing is written before `open`.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        overflow: Callable[[], None],
        write: Write = refuse,
    ) -> None:
        """`send` waits for the reader. `write` never does: it takes frames as on the wire, or refuses."""
        self._send = send
        self._write = write
        self._overflow = overflow
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._is_open = False
        self._lost = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    def open(self, *first: bytes) -> None:
        """Write these, and then whatever was offered meanwhile."""
        frames = [*first, *self._waiting]
        self._forget()
        self._is_open = True
        if frames:
            self.offer(frames, wire(frames))

    def offer(self, frames: Sequence[bytes], on_wire: bytes) -> None:
        """Never waits: whoever pushes has other sockets to serve. `on_wire` are the same frames, encoded."""
        if self._lost:
            return
        if self._writer is None and self._is_open and self._write(on_wire):
            return
        self._waiting.extend(frames)
        self._bytes += sum(map(len, frames))
        if len(self._waiting) > OUTBOX_FRAMES or self._bytes > OUTBOX_BYTES:
            self.close()
            self._overflow()
        elif self._writer is None and self._is_open:
            self._writer = asyncio.create_task(self._drain())

    async def put(self, frames: Sequence[bytes]) -> None:
        """Behind what waits, once that is written: whoever asks for much gets it as fast as they read."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})
        self.offer(frames, wire(frames))

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._send(self._waiting[0].decode())
                self._bytes -= len(self._waiting.popleft())
            self._writer = None
        except OSError:  # what an ASGI server raises when the other side has left
            self.close()

    def close(self) -> None:
        """Drop what waits, and take no more."""
        self._lost = True
        self._forget()
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None

    def _forget(self) -> None:
        self._waiting.clear()
        self._bytes = 0
