"""When it is over: polled cheaply, so that looking costs the others nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection

from bench.children import Child

_POLL = 0.01
_STALLED = 30.0
"""Seconds without anything new at the sink, or in the table, after which a run is given up."""

_OPEN = """
    SELECT count(*) FROM notifications_notification
     WHERE batch_id = ANY(%s::uuid[]) AND status IN ('accepted', 'processing')
"""

_UNSENT = """
    SELECT count(*) FROM notifications_notification
     WHERE tenant_id = ANY(%s) AND status NOT IN ('sent', 'delivered')
"""


def await_settled(sink: Child, n: int, batches: Sequence[str]) -> float:
    """When the last of the batches' statuses was rolled up, after `n` messages had come to the sink.

    The table is asked only once the sink has seen as many as there are.
    """

    def left() -> int:
        if (missing := n - int(sink.ask("count"))) > 0:
            return missing
        with connection.cursor() as cursor:
            cursor.execute(_OPEN, [list(batches)])
            return int(cursor.fetchone()[0])

    return _await_none(left)


def unsettled(tenants: Sequence[UUID]) -> int:
    """How many of the tenants' notifications are not sent, once none changes any more."""

    def left() -> int:
        with connection.cursor() as cursor:
            cursor.execute(_UNSENT, [list(tenants)])
            return int(cursor.fetchone()[0])

    _await_none(left)
    return left()


def await_arrivals(sink: Child, wanted: int) -> None:
    """Until the sink has seen so many, or no more come."""
    _await_none(lambda: max(0, wanted - int(sink.ask("count"))))


def _await_none(left: Callable[[], int]) -> float:
    """When nothing was left, or when the last of what came at all did."""
    remaining, changed_at = left(), time.monotonic()
    while remaining and time.monotonic() < changed_at + _STALLED:
        time.sleep(_POLL)
        if (now_remaining := left()) != remaining:
            remaining, changed_at = now_remaining, time.monotonic()
    return changed_at
