"""Rings for planning. Like every ring they may be lost: `plan_due` rings again each second."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from kombu.exceptions import ChannelError

from delivery.queue import chunks, publish
from preferences.channels import CHANNELS


def plan(tenant_id: UUID, due: Iterable[tuple[UUID, int]]) -> None:
    """Ring for (id, priority): one message a chunk of one priority."""
    lanes: dict[int, list[str]] = defaultdict(list)
    for id, priority in due:
        lanes[priority].append(str(id))
    for priority, ids in lanes.items():
        for chunk in chunks(ids):
            publish("notifications.plan", (str(tenant_id), chunk), queue="plan", priority=priority)


def plan_waiting(*, priority: int) -> None:
    """Ring for whatever waits its turn."""
    publish("notifications.plan_waiting", (), queue="plan", priority=priority)


def backlog() -> int:
    """How many chunks the broker holds for the channels."""
    with current_app.pool.acquire(block=True) as broker:
        return sum(_waiting(broker, channel) for channel in CHANNELS)


def _waiting(broker: Any, queue: str) -> int:
    try:
        return int(broker.default_channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:  # there is no such queue while nothing is in it
        return 0


def is_window_full() -> bool:
    """Whether batches have as much before the channels as they may have at a time."""
    return backlog() >= int(settings.NOTIFICATION_RELEASE_WINDOW)
