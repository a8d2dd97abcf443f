"""The sockets of this web process, and the one subscriber that writes to them."""

import asyncio
import logging
import random
from typing import NoReturn

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from notifications.realtime.frames import encode, unpack, wire
from notifications.realtime.outbox import Outbox
from notifications.realtime.presence import Roll
from notifications.realtime.push import CHANNEL

logger = logging.getLogger(__name__)

_QUIET_SECONDS = 15
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_INTERRUPTED = [
    encode("error", {"code": "feed_interrupted", "detail": "Frames may have been missed: resume."})
]


class Hub:
    """Who is connected here, by address. Lives on one event loop."""

    def __init__(self) -> None:
        self._outboxes: dict[bytes, set[Outbox]] = {}
        self._subscriber: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self._interrupted = False
        self._roll = Roll()

    def sockets(self, key: bytes) -> int:
        return len(self._outboxes.get(key, ()))

    async def join(self, key: bytes, outbox: Outbox) -> None:
        """From here on `outbox` gets what is pushed. With Valkey away that begins when it is back."""
        self._outboxes.setdefault(key, set()).add(outbox)
        self._roll.note(key, self.sockets(key))
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
        self._roll.note(key, self.sockets(key))

    def deliver(self, message: bytes) -> None:
        for key, frames in unpack(message):
            if outboxes := self._outboxes.get(key):
                on_wire = wire(frames)
                for outbox in outboxes:
                    outbox.offer(frames, on_wire)

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
            protocol=2,  # by the third, redis-py spells out each message for a log that nobody reads
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
                outbox.offer(_INTERRUPTED, wire(_INTERRUPTED))
