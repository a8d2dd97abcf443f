"""The sockets of this web process, told to Valkey: `preferences.presence` says how they stand there.

Joining and leaving only note what has changed. What comes within a moment is told together, one script a
tenant, all in one round trip; each heartbeat tells that the process is alive, and one that was killed is
forgotten when its lifetime is over. Each tenant's hash has a revision, in the field without a name: what does
not stand as this process left it, because Valkey was emptied, restored or away, is written anew from memory.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NoReturn

import orjson
from django.conf import settings
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from preferences.presence import SEEN_DAYS, mark, portions, root, seen_on
from tenants.ids import new_id

logger = logging.getLogger(__name__)

HEARTBEAT = 4.0
LIFETIME = 12
"""Seconds: two heartbeats may be lost."""
PROCESSES = "carillon:web-sockets"
"""For metrics, `host:pid → "sockets second"`: what each web process holds, and when it is forgotten."""

_GATHER = 0.05
_SEEN_SECONDS = (SEEN_DAYS + 1) * 24 * 3600

# KEYS: the tenant's processes, this process's hash, the day's.
# ARGV: process, lifetime, the revision it should have, how long a day is kept, then mark and entry by turns.
_TELL = """
    local now, last = tonumber(redis.call('TIME')[1]), redis.call('HGET', KEYS[2], '')
    if ARGV[3] == '0' then
        redis.call('DEL', KEYS[2])
    elseif last ~= ARGV[3] then
        return 0
    end
    for place = 5, #ARGV, 2 do
        if ARGV[place + 1] == '' then
            redis.call('HDEL', KEYS[2], ARGV[place])
        else
            redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1])
        end
        redis.call('HSET', KEYS[3], ARGV[place], now)
    end
    redis.call('HSET', KEYS[2], '', string.format('%d', ARGV[3] + 1))
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    redis.call('EXPIRE', KEYS[3], ARGV[4])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return 1
"""


def processes(client: SyncRedis, *, now: dt.datetime) -> dict[str, int]:
    """How many sockets each web process holds. Those that say so no more are forgotten."""
    told: Any = client.hgetall(PROCESSES)
    said = {name.decode(): entry.split() for name, entry in told.items()}
    over = [name for name, (_, second) in said.items() if int(second) < now.timestamp()]
    if over:
        client.hdel(PROCESSES, *over)
    return {name: int(sockets) for name, (sockets, _) in said.items() if name not in over}


class Register:
    """The sockets of one tenant's recipients here, and whose have changed since they were told."""

    def __init__(self, tenant: str) -> None:
        self._root = root(tenant)
        self.tenant = tenant
        self._here: dict[bytes, tuple[int, int]] = {}
        self._untold: set[bytes] = set()
        self._revision = 0  # nothing of it is known to stand in Valkey

    @property
    def sockets(self) -> int:
        return sum(sockets for sockets, _ in self._here.values())

    @property
    def is_over(self) -> bool:
        """Nobody is here, and that has been told."""
        return not self._here and not self._untold and self._revision != 0

    @property
    def has_changed(self) -> bool:
        return bool(self._untold) or not self._revision

    def note(self, who: bytes, sockets: int, now_ms: int) -> None:
        if not sockets and who not in self._here:
            return
        _, since = self._here.get(who, (0, now_ms))
        if sockets:
            self._here[who] = sockets, since
        else:
            del self._here[who]
        self._untold.add(who)

    def tell(self, pipeline: Pipeline, process: str) -> int:
        """Put into the pipeline what others are to know; how many commands that took."""
        keys = (self._root, f"{self._root}:{process}", seen_on(self.tenant, dt.datetime.now(dt.UTC).date()))
        told = list(portions(self._due())) or [[]]
        for portion in told:
            entries = (part for who in portion for part in (who, self._entry(who)))
            about = (process, LIFETIME, self._revision, _SEEN_SECONDS)
            pipeline.eval(_TELL, len(keys), *keys, *about, *entries)
            self._revision += 1
        self._untold.clear()
        return len(told)

    def _due(self) -> list[bytes]:
        return [*(self._untold if self._revision else self._here.keys() | self._untold)]

    def _entry(self, who: bytes) -> str:
        sockets, since = self._here.get(who, (0, 0))
        return f"{sockets} {since}" if sockets else ""

    def doubt(self) -> None:
        """It may not stand in Valkey as told: the next time all of it is."""
        self._revision = 0


class Roll:
    """All who are here, by tenant. Lives on the hub's event loop."""

    def __init__(self, heartbeat: float = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._process = new_id().hex
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._registers: dict[str, Register] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._noted = asyncio.Event()

    def note(self, key: bytes, sockets: int) -> None:
        """So many sockets has an address now. Never waits: it is called for each that comes or goes."""
        tenant, *who = orjson.loads(key)
        register = self._registers.get(tenant) or self._registers.setdefault(tenant, Register(tenant))
        register.note(mark(*who), sockets, time.time_ns() // 1_000_000)
        self._noted.set()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_told())

    async def _keep_told(self) -> NoReturn:
        client = Redis.from_url(
            settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 1)
        )
        beat = 0.0
        async with client:
            while True:
                await self._a_moment(until=beat)
                is_beat = time.monotonic() >= beat
                try:
                    await self._tell(client, is_beat=is_beat)
                except (RedisError, OSError) as error:
                    logger.warning("presence: not told", extra={"error": type(error).__name__})
                    await asyncio.sleep(self._heartbeat)
                if is_beat:
                    beat = time.monotonic() + self._heartbeat

    async def _a_moment(self, until: float) -> None:
        """Until something has changed, and what changes with it, or it is time for a heartbeat."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._noted.wait(), max(0.0, until - time.monotonic()))
            await asyncio.sleep(_GATHER)
        self._noted.clear()

    async def _tell(self, client: Redis, *, is_beat: bool) -> None:
        registers = [register for register in self._registers.values() if is_beat or register.has_changed]
        async with client.pipeline(transaction=False) as pipeline:
            told = [(register, register.tell(pipeline, self._process)) for register in registers]
            if is_beat:
                self._count(pipeline)
            try:
                answers = await pipeline.execute()
            except (RedisError, OSError):
                for register in registers:
                    register.doubt()
                raise
        self._believe(told, answers)

    def _count(self, pipeline: Pipeline) -> None:
        sockets = sum(register.sockets for register in self._registers.values())
        pipeline.hset(PROCESSES, self._name, f"{sockets} {time.time() + LIFETIME:.0f}")
        pipeline.expire(PROCESSES, LIFETIME)

    def _believe(self, told: Sequence[tuple[Register, int]], answers: Sequence[int]) -> None:
        """What did not stand as it was left is told again, all of it; who has nobody here is let go."""
        answered = iter(answers)
        for register, commands in told:
            if not all(list(islice(answered, commands))):
                register.doubt()
                self._noted.set()
            elif register.is_over:
                del self._registers[register.tenant]
