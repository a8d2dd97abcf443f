"""The sockets of this web process, and the one subscriber that writes to them."""

import asyncio
import logging
import random
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from notifications.realtime.frames import encode, unpack
from notifications.realtime.push import CHANNEL

logger = logging.getLogger(__name__)

OUTBOX_FRAMES = 1000
OUTBOX_BYTES = 4 * 1024 * 1024
_QUIET_SECONDS = 15
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_INTERRUPTED = encode(
    "error", {"code": "feed_interrupted", "detail": "Frames may have been missed: resume."}
).decode()


class _Waiting(asyncio.Queue[str]):
    """Full when it holds many frames, or much. https://docs.python.org/3/library/asyncio-queue.html"""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._bytes = 0

    def _put(self, item: str) -> None:
        super()._put(item)
        self._bytes += sys.getsizeof(item)

    def _get(self) -> str:
        item: str = super()._get()
        self._bytes -= sys.getsizeof(item)
        return item

    def full(self) -> bool:
        return super().full() or self._bytes >= OUTBOX_BYTES


class Outbox:
    """What waits to be written to one socket. It is bounded: a reader too slow to empty it is let go."""

    def __init__(self, write: Callable[[str], Awaitable[None]], overflow: Callable[[], None]) -> None:
        self._write = write
        self._overflow = overflow
        self._frames = _Waiting(OUTBOX_FRAMES)
        self._lost = False

    def offer(self, frame: str) -> None:
        """Never waits: whoever pushes has other sockets to serve."""
        if self._lost:
            return
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self._lost = True
            self._overflow()

    async def put(self, frame: str) -> None:
        """Waits for room: whoever asked for much gets it as fast as they read."""
        if not self._lost:
            await self._frames.put(frame)

    async def drain(self) -> None:
        """Write until the socket is gone."""
        try:
            while True:
                await self._write(await self._frames.get())
        except OSError:  # what an ASGI server raises when the other side has left
            self.close()

    def close(self) -> None:
        """Drop what waits, and let nobody wait any more."""
        self._lost = True
        while not self._frames.empty():
            self._frames.get_nowait()


class Hub:
    """Who is connected here, by address. Lives on one event loop."""

    def __init__(self) -> None:
        self._outboxes: dict[bytes, set[Outbox]] = {}
        self._subscriber: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self._interrupted = False

    def sockets(self, key: bytes) -> int:
        return len(self._outboxes.get(key, ()))

    async def join(self, key: bytes, outbox: Outbox) -> None:
        """From here on `outbox` gets what is pushed. With Valkey away that begins when it is back."""
        self._outboxes.setdefault(key, set()).add(outbox)
        if self._subscriber is None or self._subscriber.done():
            self._subscribed.clear()
            self._subscriber = asyncio.create_task(self._keep_subscribed())
        try:
            await asyncio.wait_for(self._subscribed.wait(), 1)
        except TimeoutError:
            logger.warning("live feed: a socket joins while Valkey is away")

    def leave(self, key: bytes, outbox: Outbox) -> None:
        outboxes = self._outboxes.get(key, set())
        outboxes.discard(outbox)
        if not outboxes:
            self._outboxes.pop(key, None)

    def deliver(self, message: bytes) -> None:
        for key, frames in unpack(message):
            if outboxes := self._outboxes.get(key):
                for frame in map(bytes.decode, frames):
                    for outbox in outboxes:
                        outbox.offer(frame)

    async def _keep_subscribed(self) -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.warning("live feed: no subscription", extra={"error": repr(error)})
            delay = _FIRST_DELAY if self._subscribed.is_set() else min(2 * delay, _LONGEST_DELAY)
            self._subscribed.clear()
            self._interrupted = True
            await asyncio.sleep(random.uniform(0, delay))  # jitter, not a secret

    async def _listen(self) -> NoReturn:
        """Serve one subscription until it breaks, which raises. A quiet one is pinged: its death shows."""
        client = Redis.from_url(
            settings.REDIS_URL,
            health_check_interval=_QUIET_SECONDS,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            while True:
                message = await pubsub.get_message(timeout=_QUIET_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._resume()
                elif message["type"] == "message":
                    self.deliver(message["data"])

    def _resume(self) -> None:
        self._subscribed.set()
        if self._interrupted:
            self._interrupted = False
            for outbox in [outbox for outboxes in self._outboxes.values() for outbox in outboxes]:
                outbox.offer(_INTERRUPTED)
