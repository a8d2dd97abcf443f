"""An account's messages a second, shared by all workers: a moving window in Valkey, through `limits`.

The window is exact: it remembers when each message of the last second was let through. One that counts is an
estimate, and lets a burst pass where two windows meet, which the vendor's own limiter then refuses.
"""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from delivery.routing import Account

logger = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds that Valkey has for an answer


@cache
def pool() -> ConnectionPool:
    """Connections of this process whose callers do not wait long: they can do without Valkey."""
    return ConnectionPool.from_url(
        settings.REDIS_URL,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(RedisStorage(settings.REDIS_URL, connection_pool=pool()))


def take(account: Account, wanted: int) -> int:
    """How many of `wanted` messages the account may send now.

    With Valkey away all of them may: the vendor's own 429 is then the limit.
    """
    if account.rate_per_second is None or not wanted:
        return wanted
    if not account.rate_per_second:
        return 0
    limit = RateLimitItemPerSecond(account.rate_per_second)
    granted = min(wanted, account.rate_per_second)
    try:
        while granted > 0 and not _limiter().hit(limit, str(account.id), cost=granted):
            left = _limiter().get_window_stats(limit, str(account.id)).remaining
            granted = min(granted - 1, max(0, left))
    except RedisError:
        logger.warning("rate limits are off: Valkey is away", extra={"account": account.id})
        return wanted
    return max(0, granted)
