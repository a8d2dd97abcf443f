"""Rate limits: a sliding window a tenant and endpoint group, in Valkey, shared by every web process."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

_PATIENCE = 0.25  # seconds that a request waits for Valkey
_PAUSE = 1.0  # seconds without a question once Valkey was found away


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Where a tenant stands: `remaining` of `amount` requests, anew in `reset_in` seconds."""

    amount: int
    remaining: int
    reset_in: float


class SlidingWindow:
    """One Valkey's windows. While it is away nothing is refused, and it is asked once a second."""

    def __init__(self, url: str) -> None:
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        storage = RedisStorage(url, connection_pool=pool)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._silent_until = 0.0

    def hit(self, *key: str, per_minute: int) -> tuple[bool, RateLimit | None]:
        """Count one request: whether it may pass, and where its tenant then stands, if that is known."""
        if time.monotonic() < self._silent_until:
            return True, None
        limit = RateLimitItemPerMinute(per_minute)
        try:
            allowed = self._limiter.hit(limit, *key)
            window = self._limiter.get_window_stats(limit, *key)
        except RedisError:
            logger.warning("rate limits are off: Valkey is away")
            self._silent_until = time.monotonic() + _PAUSE
            return True, None
        return allowed, RateLimit(per_minute, window.remaining, max(0.0, window.reset_time - time.time()))


def window() -> SlidingWindow:
    """Valkey's, shared by every web process."""
    return _window(settings.REDIS_URL)


@cache
def _window(url: str) -> SlidingWindow:
    return SlidingWindow(url)


class TenantThrottle(BaseThrottle):
    """`throttle_group` of the view names the endpoint group."""

    retry_in: float = 0

    def allow_request(self, request: Request, view: APIView) -> bool:
        tenant = getattr(request.user, "tenant", None)
        if tenant is None:
            return True
        group: str = getattr(view, "throttle_group", "default")
        allowed, limit = window().hit(str(tenant.pk), group, per_minute=settings.RATE_LIMIT_PER_MINUTE)
        if limit is not None:
            self.retry_in = limit.reset_in
            request._request.rate_limit = limit  # type: ignore[attr-defined]  # noqa: SLF001
        return allowed

    def wait(self) -> float:
        return self.retry_in
