"""PostgreSQL is restarted while everybody is at work: what was accepted is there, and is sent once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.client import Client, sending
from notifications.tests.survival.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(480)]

Show = Callable[[Summary], None]

CHANNELS = ("sms", "email", "in_app")
NOTIFICATIONS = 300
MOMENTS = (100, 400, 700)
LEASE = 20  # seconds: a worker waits a quarter of it for PostgreSQL to come back


def test_postgres_restarted(stack: Stack, account: Account, show: Show) -> None:
    names, client = account.names(NOTIFICATIONS), Client(stack.url, stack.key, CHANNELS)
    with stack.beat(), stack.worker(lease=LEASE), stack.worker(lease=LEASE), sending(client, names):
        for moment in MOMENTS:
            account.wait_for(moment)
            stack.postgres.restart()
        account.wait_for_the_end(names, client)
    summary = account.close(names, client)
    assert not summary.duplicates, "whoever had sent was there to write it down"
    show(summary)


def test_it_says_that_it_is_away_while_postgres_is(stack: Stack, account: Account, show: Show) -> None:
    """Requests in between are refused with a problem document, and taken when they are made again."""
    names, client = account.names(50), Client(stack.url, stack.key, CHANNELS)
    with stack.beat(), stack.worker():
        stack.postgres.kill()
        try:
            with sending(client, names):
                client.wait_for(503)
                stack.postgres.start()
        finally:
            if not stack.postgres.alive:
                stack.postgres.start()
        account.wait_for_the_end(names, client)
    show(account.close(names, client))
