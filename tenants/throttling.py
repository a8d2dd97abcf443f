"""Rate limits: a sliding window a tenant and endpoint group, kept in Valkey and shared by every web process."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


@cache
def _limiter() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(RedisStorage(settings.REDIS_URL))


class TenantThrottle(BaseThrottle):
    """`throttle_group` of the view names the endpoint group. With Valkey away, nobody is refused."""

    retry_in: float = 0

    def allow_request(self, request: Request, view: APIView) -> bool:
        tenant = getattr(request.user, "tenant", None)
        if tenant is None:
            return True
        limit = RateLimitItemPerMinute(settings.RATE_LIMIT_PER_MINUTE)
        key = (str(tenant.pk), getattr(view, "throttle_group", "default"))
        try:
            allowed = _limiter().hit(limit, *key)
            window = _limiter().get_window_stats(limit, *key)
        except RedisError:
            logger.warning("rate limits are off: Valkey is away")
            return True
        self.retry_in = max(0.0, window.reset_time - time.time())
        request._request.rate_limit = (limit.amount, window.remaining, self.retry_in)  # type: ignore[attr-defined]
        return allowed

    def wait(self) -> float:
        return self.retry_in
