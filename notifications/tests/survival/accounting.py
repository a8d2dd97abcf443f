"""What was accepted, what the providers received, and whether the two agree."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

import pytest

from config.tests.processes import wait_until
from notifications.tests.survival.client import Client
from notifications.tests.survival.stack import Stack

ENDS = 100  # seconds for everything to end, on a busy machine

_LEDGER = """
    SELECT coalesce((SELECT sum(accepted) FROM notifications_intake), 0),
           (SELECT count(*) FROM notifications_notification),
           (SELECT count(*) FROM notifications_notification
             WHERE status IN ('accepted', 'scheduled', 'processing')),
           (SELECT count(*) FROM delivery_delivery WHERE status IN ('queued', 'deferred', 'sending'))
"""

_LEGS = """
    SELECT d.channel, n.reference, n.status, d.status,
           count(a.id) FILTER (WHERE a.outcome = 'unknown')
      FROM notifications_notification n
      LEFT JOIN delivery_delivery d ON d.notification_id = n.id
      LEFT JOIN delivery_attempt a ON a.delivery_id = d.id
     WHERE n.reference LIKE %(prefix)s
     GROUP BY n.id, d.id
"""

_DONE = """
    SELECT count(*) FROM delivery_delivery d JOIN notifications_notification n ON n.id = d.notification_id
     WHERE n.reference LIKE %(prefix)s AND d.status IN ('sent', 'delivered')
"""

_STATES = """
    SELECT 'notifications', status, reason, count(*) FROM notifications_notification GROUP BY 2, 3
     UNION ALL
    SELECT 'deliveries', status, reason, count(*) FROM delivery_delivery GROUP BY 2, 3
     UNION ALL
    SELECT 'backends', state, wait_event, count(*) FROM pg_stat_activity GROUP BY 2, 3
"""

Leg = tuple[str, str]
"""A channel, and the name of the notification."""


@dataclass
class Account:
    """The books of one run: the notifications whose names begin with `run`."""

    stack: Stack
    run: str

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    def names(self, number: int) -> list[str]:
        return [f"{self.run}-{n:04}" for n in range(number)]

    def done(self) -> int:
        """How many deliveries have reached their provider, as far as the database knows."""
        rows = self.stack.ask(_DONE, prefix=f"{self.run}-%")
        return int(rows[0][0]) if rows else 0

    def wait_for(self, number: int) -> None:
        self._wait_until(lambda: self.done() >= number)

    def wait_for_the_end(self, names: Collection[str], client: Client) -> None:
        """All of it is sent: that nothing is in flight may also be because the client has not asked yet."""
        legs = len(names) * len(client.channels)
        self._wait_until(lambda: self.done() >= legs and self._nothing_in_flight())

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        try:
            wait_until(condition, ENDS)
        except AssertionError:
            pytest.fail(f"{self.done()} done in {self.seconds:.0f} s; {self.stack.ask(_STATES)}")

    def _nothing_in_flight(self) -> bool:
        rows = self.stack.ask(_LEDGER)
        return rows != [] and rows[0][2:] == (0, 0)

    def received(self) -> Counter[Leg]:
        """What came out at the other end: at the vendors, and in the recipient's feed."""
        messages = self.stack.sandbox.messages()
        told = [(message["channel"], message["text"].strip()) for message in messages]
        told += [("in_app", body) for (body,) in self.stack.ask("SELECT body FROM notifications_feeditem")]
        return Counter(leg for leg in told if leg[1].startswith(f"{self.run}-"))

    def close(self, names: Collection[str], client: Client) -> Summary:
        """Check that nothing was lost, that only what is `unknown` may have come twice, and the ledger."""
        rows = self.stack.ask(_LEGS, prefix=f"{self.run}-%")
        expected = Counter((channel, name) for channel in client.channels for name in names)
        assert Counter((channel, name) for channel, name, *_ in rows) == expected, (
            "accepted once, planned once"
        )
        assert {status for row in rows for status in row[2:4]} <= {"sent", "delivered"}, "all of them arrived"
        received = self.received()
        assert received.keys() == expected.keys(), "nothing was lost, nothing invented"
        unknown = {(channel, name): unknown for channel, name, _, _, unknown in rows}
        unexplained = {leg: n for leg, n in received.items() if n > 1 + unknown[leg]}
        assert not unexplained, f"sent twice and not known to be: {unexplained}"
        self.balance()
        twice = sum(n - 1 for n in received.values())
        return Summary(self.run, len(rows), sum(unknown.values()), twice, self.seconds, client)

    def balance(self) -> None:
        ((accepted, stored, open_notifications, open_deliveries),) = self.stack.ask(_LEDGER)
        assert accepted == stored, "what was accepted is there"
        assert (open_notifications, open_deliveries) == (0, 0), "and nothing of it is in flight any more"
        ((stored, last),) = self.stack.ask(
            "SELECT count(*), coalesce(max(seq), 0) FROM notifications_feeditem"
        )
        assert stored == last, "the feed's numbers have no gaps"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


@dataclass(frozen=True)
class Summary:
    run: str
    deliveries: int
    unknown: int
    duplicates: int
    seconds: float
    client: Client

    def __str__(self) -> str:
        answers = ", ".join(f"{n} x {status}" for status, n in sorted(self.client.answers.items()))
        return (
            f"{self.run}: {self.deliveries} deliveries, {self.unknown} unknown attempts, "
            f"{self.duplicates} duplicates, "
            f"{self.seconds:.1f} s; answers {answers}, {self.client.broken} connections broken, "
            f"slowest {self.client.slowest:.2f} s"
        )
