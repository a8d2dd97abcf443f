"""An account's messages a second, shared by all workers: a sliding window in Valkey, through `limits`."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from delivery.routing import Account

logger = logging.getLogger(__name__)


@cache
def _limiter() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(RedisStorage(settings.REDIS_URL))


def take(account: Account, wanted: int) -> int:
    """How many of `wanted` messages the account may send now.

    With Valkey away all of them may: the vendor's own 429 is then the limit.
    """
    if account.rate_per_second is None:
        return wanted
    limit = RateLimitItemPerSecond(account.rate_per_second)
    granted = min(wanted, account.rate_per_second)
    try:
        while granted and not _limiter().hit(limit, str(account.id), cost=granted):
            left = _limiter().get_window_stats(limit, str(account.id)).remaining
            granted = min(granted - 1, max(0, left))
    except RedisError:
        logger.warning("rate limits are off: Valkey is away", extra={"account": account.id})
        return wanted
    return granted
