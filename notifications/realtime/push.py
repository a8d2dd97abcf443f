"""From a committed row to every web process: synchronous code for workers, requests and commands alike."""

import logging
from collections.abc import Sequence
from functools import cache, partial

from django.conf import settings
from django.db import transaction
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from notifications.realtime.frames import Frame, pack

logger = logging.getLogger(__name__)

CHANNEL = "carillon:feed"


def publish(frames: Sequence[Frame]) -> None:
    """Push a chunk in one message. With Valkey away it logs and goes on: the rows are the truth."""
    if not frames:
        return
    try:
        _client(settings.REDIS_URL).publish(CHANNEL, pack(frames))
    except (RedisError, OSError) as error:
        logger.warning("live feed: nothing was pushed", extra={"frames": len(frames), "error": repr(error)})


def publish_on_commit(frames: Sequence[Frame]) -> None:
    """`publish`, once the transaction that wrote the rows has been committed."""
    if frames:
        transaction.on_commit(partial(publish, frames))


@cache
def _client(url: str) -> Redis:
    """One small pool a process. A stale connection is replaced at once; nobody waits for a dead server."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=8,
        timeout=1,
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis(connection_pool=pool)
