"""One asyncio loop for a thread's whole life: provider calls run on it, everything else stays plain."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from delivery.providers import closing
from delivery.providers.http import close_session

Result = TypeVar("Result")
_local = threading.local()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end on this thread's loop, made when first asked for."""
    loop = getattr(_local, "loop", None)
    if loop is None or loop.is_closed():
        loop = _local.loop = uvloop.new_event_loop()
    return loop.run_until_complete(work)


def close() -> None:
    """Close what providers keep, the shared session and the loop: the worker process is going away."""
    closing.close_all()
    loop: asyncio.AbstractEventLoop | None = getattr(_local, "loop", None)
    if loop is None or loop.is_closed():
        return
    loop.run_until_complete(close_session())
    loop.close()


atexit.register(close)
