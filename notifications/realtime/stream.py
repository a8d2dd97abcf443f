"""The live feed as server-sent events: what one client gets, in what order.

Nobody can ask for anything on a stream, so it sees to order and to gaps by itself: items come by number, each
once, and `id:` is always that of the last one before which nothing is missing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings

from notifications.mailbox import mailbox, show
from notifications.models import FeedItem
from notifications.realtime.catching_up import Part, catch_up
from notifications.realtime.events import HEARTBEAT, event, retry_in
from notifications.realtime.frames import Address
from notifications.realtime.subscription import (
    DATABASE_AWAY,
    RESTART,
    TRY_AGAIN,
    RefusedError,
    Subscription,
    in_database,
)
from tenants.context import tenant_scope

Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_RETRY = (1.0, 4.0)  # seconds, at random: a process that dies has all its clients come back
ANY_ORIGIN = (b"access-control-allow-origin", b"*")
"""A token was shown, and no cookie counts."""
HEADERS = [
    ANY_ORIGIN,
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
]


class Stream:
    """One client's. `last` is the number of the last item it has, or of where it begins."""

    def __init__(self, send: Send, last: int | None) -> None:
        self.last = 0 if last is None else last
        self.ended = asyncio.Event()
        self.finished = asyncio.Event()
        self.subscription = Subscription(self.pass_on, self.hang_up, send)
        self._resumes = last is not None
        self._begun = False
        self._send = send

    async def open(self, token: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        """Answer 200, and say where the client stands. Raises `RefusedError` before any of that."""
        greeting = orjson.loads(await self.subscription.enter(token))
        if self.subscription.closed:
            raise RefusedError(self.subscription.why or RESTART)
        self._begun = True
        seq = greeting["data"]["seq"]
        self.last = min(self.last, seq) if self._resumes else seq
        await self._send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
        await self.write(retry_in(random.uniform(*_RETRY)))  # jitter, not a secret
        await self.write(event(greeting["type"], greeting["data"], id=self.last))

    async def run(self) -> None:
        """What was missed, then what is pushed, until we end it."""
        if self._resumes:
            count = await self.catch_up()
            await self.write(event("notifications:catch-up-complete", {"count": count, "more": False}))
        self.subscription.begin_writing()
        while not self.ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), settings.FEED_HEARTBEAT_SECONDS)
                break
            await self.write(HEARTBEAT)
        await self.finished.wait()

    async def pass_on(self, text: str) -> None:
        """A pushed frame, unless it was caught up already; before one that leaves a gap, what is in it."""
        frame = orjson.loads(text)
        seq, data = frame.get("seq"), frame.get("data", {})
        interrupted = frame["type"] == "error" and data.get("code") == "feed_interrupted"
        if interrupted or (seq is not None and seq > self.last + 1):
            await self.catch_up()
        if not interrupted and (seq is None or seq > self.last):
            self.last = seq or self.last
            await self.write(event(frame["type"], data, id=seq))

    async def catch_up(self) -> int:
        """Everything after `last`, as fast as it is read. How many items that was."""
        count, more = 0, True
        while more and not self.ended.is_set():
            try:
                part: Part = await in_database(_missed, self.subscription.address, self.last)
            except DATABASE_AWAY:
                self.subscription.dismiss(TRY_AGAIN)
                await self.ended.wait()
                break
            for item in part.items:
                await self.write(item)
            self.last, count, more = part.last, count + len(part.items), part.more
        return count

    async def write(self, part: bytes) -> None:
        if not self.ended.is_set():
            await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def hang_up(self, code: int) -> None:
        """The last event tells the close code that a websocket would get."""
        self.ended.set()
        if self._begun:
            farewell = event("close", {"code": code})
            await self._send({"type": "http.response.body", "body": farewell, "more_body": False})
        self.finished.set()


def _missed(address: Address, after: int) -> Part:
    with tenant_scope(address.tenant_id):
        return catch_up(mailbox(address), after, _news)


def _news(item: FeedItem) -> bytes:
    return event("notification:new", show(item), id=item.seq)
