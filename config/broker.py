"""The broker seen from outside Celery: a client that gives up at once, and how much waits in each queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE = 1.0  # seconds


@contextmanager
def valkey(url: str) -> Iterator[redis.Redis]:
    """A client that waits a second and does not try again, for those who ask whether it is there."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(
        url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=once
    ) as client:
        yield client


def queue_depths() -> Mapping[str, int]:
    """Rings waiting by queue, over all priorities. One round trip."""
    queues = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    steps: list[int] = settings.CELERY_BROKER_TRANSPORT_OPTIONS["priority_steps"]  # type: ignore[assignment]
    with valkey(settings.CELERY_BROKER_URL) as client, client.pipeline(transaction=False) as pipeline:
        for queue in queues:
            for step in steps:
                pipeline.llen(_key(queue, step))
        lengths = iter(pipeline.execute())
    return {queue: sum(next(lengths) for _ in steps) for queue in queues}


def _key(queue: str, step: int) -> str:
    """As Kombu names a queue's list for a priority.

    https://docs.celeryq.dev/en/stable/userguide/routing.html#redis-message-priorities
    """
    separator = settings.CELERY_BROKER_TRANSPORT_OPTIONS["sep"]
    return f"{queue}{separator}{step}" if step else queue
