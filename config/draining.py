"""A web process that is told to end sends its live-feed clients away first, and goes on serving meanwhile.

uvicorn closes all of its sockets in the moment that it is told, and their clients would come back together.
So its handler of the signal is called when they have gone, or at once when the signal comes again.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def before_the_end(farewell: Callable[[], Awaitable[None]]) -> None:
    """Have `farewell` run before the server hears that it is to stop. On its loop, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    postponed = _Postponed(asyncio.get_running_loop(), farewell)
    for signum in _SIGNALS:
        handler = signal.getsignal(signum)
        if callable(handler) and handler is not signal.default_int_handler:
            signal.signal(signum, postponed.until_after(handler))


class _Postponed:
    def __init__(self, loop: asyncio.AbstractEventLoop, farewell: Callable[[], Awaitable[None]]) -> None:
        self._loop = loop
        self._farewell = farewell
        self._task: asyncio.Task[None] | None = None
        self._told = False

    def until_after(self, handler: Callable[[int, FrameType | None], Any]) -> Any:
        def handle(signum: int, frame: FrameType | None) -> None:
            if self._told:
                handler(signum, frame)
                return
            self._told = True
            self._loop.call_soon_threadsafe(self._begin, lambda: handler(signum, None))

        return handle

    def _begin(self, end: Callable[[], Any]) -> None:
        self._task = self._loop.create_task(self._part(end))

    async def _part(self, end: Callable[[], Any]) -> None:
        try:
            await self._farewell()
        finally:
            end()
