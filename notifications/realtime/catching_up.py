"""What a client missed, in parts that are small enough to wait for it in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from notifications.mailbox import Mailbox, missed
from notifications.models import FeedItem

LIMIT = 500
BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded items in their order; `last` is the number of the last, `more` that others come after it."""

    items: list[bytes]
    last: int
    more: bool


def catch_up(of: Mailbox, after: int, encode: Callable[[FeedItem], bytes]) -> Part:
    """At most `LIMIT` items after that number, and about `BYTES`: at least one, if there is one."""
    rows = missed(of, after, LIMIT + 1)
    encoded: list[bytes] = []
    size = 0
    for row in rows[:LIMIT]:
        if size >= BYTES:
            break
        encoded.append(encode(row))
        size += len(encoded[-1])
    return Part(encoded, rows[len(encoded) - 1].seq if encoded else after, len(encoded) < len(rows))
