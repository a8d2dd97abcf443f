"""The links of this process, on a loop and in a thread of their own.

A worker's own loop runs only while it sends a chunk; binds have to answer at any time. A child that is forked
begins with none: two processes that write on one connection would be heard by neither.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import uvloop

from delivery.providers import closing
from delivery.providers.base import Report
from delivery.providers.smpp.link import Link, Terms

Result = TypeVar("Result")
_FAREWELL = 3.0


class Links:
    """By account, each with the settings that it was made with."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[str, Link]] = {}
        self._reporter = ThreadPoolExecutor(1, "smpp-receipts")
        self._loop = uvloop.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="smpp", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        await self._end.wait()
        await asyncio.gather(*(link.close() for _, link in self._links.values()))

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run `work` on the links' loop, from another."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def link(
        self, account: str, version: str, terms: Callable[[], Terms], report: Report | None
    ) -> Link:
        """The account's link; one that was made with other settings is closed. Only on the links' loop."""
        made_with, link = self._links.get(account, ("", None))
        if link is not None and made_with == version and not link.is_gone:
            return link
        if link is not None:
            asyncio.get_running_loop().create_task(link.close())
        link = Link(terms(), report, self._reporter)
        self._links[account] = (version, link)
        return link

    def abandon(self) -> None:
        """Let go of the connections without a word: they are another process's."""
        for _, link in list(self._links.values()):
            for number in link.descriptors():
                os.close(number)

    def close(self) -> None:
        """Unbind everywhere, and let the threads end."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_FAREWELL)
        with suppress(RuntimeError):  # the interpreter is ending, and has ended this thread before us
            self._reporter.submit(closing.thread_ends)
        self._reporter.shutdown()


_lock = threading.Lock()
_links: Links | None = None
_inherited: Links | None = None


def here() -> Links:
    """This process's links; the thread starts when first asked for."""
    global _links  # noqa: PLW0603
    with _lock:
        if _links is None:
            _links = Links()
        return _links


def close() -> None:
    """Unbind: the process is going away."""
    global _links
    with _lock:
        links, _links = _links, None
    if links is not None:
        links.close()


def _forget() -> None:
    """In a forked child: the thread has stayed behind, and its connections belong to it.

    The objects are kept, lest their end be taken for the connections'.
    """
    global _lock, _links, _inherited
    _inherited, _lock, _links = _links, threading.Lock(), None
    if _inherited is not None:
        _inherited.abandon()


os.register_at_fork(after_in_child=_forget)
closing.at_end(close)
