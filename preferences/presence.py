"""Who has the live feed open, over all web processes: asked for many recipients of a tenant at a time.

It lives in Valkey and nowhere else, each tenant's under keys of its own:

- `carillon:presence:{<tenant>}`: the web processes that hold sockets of its recipients, sorted by the second
  at which each is forgotten;
- `…:<process>`: what that process holds, `mark → "sockets since"`, since in ms. It expires with its process;
- `…:seen:<day>`: `mark → second` at which a socket of theirs last came or went. It is kept for `SEEN_DAYS`.

A mark is a hash of whoever it is, so an id of any length costs the same. The braces keep a tenant's keys on
one node of a cluster. `notifications.realtime.presence` writes all this.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from preferences.directory import Key
from preferences.rules.presence import AWAY, UNKNOWN, Presence

logger = logging.getLogger(__name__)

T = TypeVar("T")

SEEN_DAYS = 7
AT_ONCE = 1_000
"""Marks a script takes: Lua's stack ends at 8,000."""
_PATIENCE = 0.5
"""Seconds that Valkey has for an answer: whoever asks may hold locks."""


def mark(type: str, external_id: str) -> bytes:
    return blake2b(orjson.dumps([type, external_id]), digest_size=16).digest()


def portions(many: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as a script takes."""
    return (many[start : start + AT_ONCE] for start in range(0, len(many), AT_ONCE))


def root(tenant_id: UUID | str) -> str:
    return f"carillon:presence:{{{tenant_id}}}"


def seen_on(tenant_id: UUID | str, day: dt.date) -> str:
    return f"{root(tenant_id)}:seen:{day:%Y%m%d}"


# By the server's clock: a process's own may be wrong.
_READ = """
    local found = {}
    local now = redis.call('TIME')[1]
    for place, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
        found[place] = redis.call('HMGET', KEYS[1] .. ':' .. process, unpack(ARGV))
    end
    return found
"""


def of(tenant_id: UUID, keys: Collection[Key]) -> Mapping[Key, Presence]:
    """The presence of each, a round trip a thousand. With Valkey away each is `UNKNOWN`."""
    found: dict[Key, Presence] = {}
    try:
        for some in portions([*dict.fromkeys(keys)]):
            held = _client(settings.REDIS_URL).eval(_READ, 1, root(tenant_id), *(mark(*key) for key in some))
            found |= zip(some, map(_presence, zip(*held, strict=True)), strict=True) if held else {}
    except (RedisError, OSError) as error:
        logger.warning("presence: Valkey is away", extra={"error": type(error).__name__})
        return dict.fromkeys(keys, UNKNOWN)
    return {key: found.get(key, AWAY) for key in keys}


def _presence(held: Sequence[bytes | None]) -> Presence:
    """Of what each process holds of somebody."""
    entries = [entry.split() for entry in held if entry is not None]
    if not entries:
        return AWAY
    sockets, since = sum(int(sockets) for sockets, _ in entries), min(int(since) for _, since in entries)
    return Presence(sockets, dt.datetime.fromtimestamp(since / 1000, dt.UTC))


def sighting(tenant_id: UUID, key: Key) -> tuple[Presence, dt.datetime | None]:
    """Somebody's presence, and when they were seen: now, or when a socket of theirs last came or went."""
    known = of(tenant_id, [key])[key]
    if not known.is_known:
        return known, None
    return known, timezone.now() if known.is_online else _last_seen(tenant_id, key)


def _last_seen(tenant_id: UUID, key: Key) -> dt.datetime | None:
    tomorrow = timezone.now().date() + dt.timedelta(days=1)  # by a clock that is ahead of this one
    days = [tomorrow - dt.timedelta(days=ago) for ago in range(SEEN_DAYS + 2)]
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            for day in days:
                pipeline.hget(seen_on(tenant_id, day), mark(*key))
            seconds = next(filter(None, pipeline.execute()), None)
    except (RedisError, OSError) as error:
        logger.warning("presence: Valkey is away", extra={"error": type(error).__name__})
        return None
    return None if seconds is None else dt.datetime.fromtimestamp(int(seconds), dt.UTC)


@cache
def _client(url: str) -> Redis:
    """Connections whose users do not wait: who is not known to be online is away."""
    return Redis.from_url(
        url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 1)
    )
