"""Rings for planning. Like every ring they may be lost: `plan_due` rings again each second."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from delivery.queue import chunks, publish


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
