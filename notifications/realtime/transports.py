"""The connection under an ASGI server's `send`, for what ASGI has no word for: giving up on a peer.

A server keeps what it could not write yet, and closing waits for that too: a peer that reads nothing would
hold its connection, and all that is buffered for it, for ever.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any


def transport_of(send: Any) -> asyncio.Transport | None:
    """uvicorn's, whose `send` is a method of what holds it; None with a server that does otherwise."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return transport if callable(getattr(transport, "abort", None)) else None


def give_up_after(transport: asyncio.Transport | None, seconds: float) -> None:
    """Have the kernel end the connection once what was written has not been taken for so long.

    TCP_USER_TIMEOUT, RFC 5482, counts a closed window too:
    https://man7.org/linux/man-pages/man7/tcp.7.html
    """
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None or connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    if sys.platform == "linux":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
