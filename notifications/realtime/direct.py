"""The way past ASGI, for those who push much to many.

By ASGI each frame is a coroutine, a dictionary and an encoding for each socket. What is written here stands
as it will on the wire (`frames.wire`): encoded once for all sockets, many frames one system call. They
are not compressed, which is always allowed (RFC 7692, section 6).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

Write = Callable[[bytes], bool]


def writer(send: Any) -> Write:
    """A function that writes whole text frames at once, or says False: then nothing was written.

    `send` is ASGI's. In uvicorn it is a method of the connection; what it is in another server nobody knows,
    and then the answer is always no.
    """
    connection = getattr(send, "__self__", None)
    return partial(_write, connection) if isinstance(connection, WebSocketsSansIOProtocol) else refuse


def refuse(frames: bytes) -> bool:
    return False


def _write(connection: WebSocketsSansIOProtocol, frames: bytes) -> bool:
    """No, when the reader is slow, or has gone, or has been shown the door."""
    if not connection.writable.is_set() or connection.close_sent or connection.transport.is_closing():
        return False
    connection.transport.write(frames)
    return True
