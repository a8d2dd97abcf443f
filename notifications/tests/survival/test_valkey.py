"""Valkey forgets everything, or goes away and comes back empty: it holds nothing that may not be lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.client import Client, sending
from notifications.tests.survival.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(480)]

Show = Callable[[Summary], None]

CHANNELS = ("sms", "email", "in_app")
NOTIFICATIONS = 300
MOMENTS = (100, 400, 700)
LEASE = 20  # seconds: no worker is lost here, so none is to be taken for lost on a busy machine


def client_of(stack: Stack) -> Client:
    return Client(stack.url, stack.key, CHANNELS)


def flush(stack: Stack) -> None:
    with redis.Redis.from_url(stack.valkey.url) as client:
        client.flushall()


def restart(stack: Stack) -> None:
    stack.valkey.restart()


@pytest.mark.parametrize("happens", [flush, restart])
def test_valkey(stack: Stack, account: Account, show: Show, happens: Callable[[Stack], None]) -> None:
    names, client = account.names(NOTIFICATIONS), client_of(stack)
    with stack.beat(), stack.worker(lease=LEASE), stack.worker(lease=LEASE), sending(client, names):
        for moment in MOMENTS:
            account.wait_for(moment)
            happens(stack)
        account.wait_for_the_end(names, client)
    summary = account.close(names, client)
    assert (summary.unknown, summary.duplicates) == (0, 0), "every worker lived to tell"
    show(summary)


def test_it_accepts_while_valkey_is_away(stack: Stack, account: Account, show: Show) -> None:
    names, client = account.names(NOTIFICATIONS), client_of(stack)
    with stack.beat(), stack.worker():
        stack.valkey.kill()
        try:
            client.send(names)
        finally:
            stack.valkey.start()
        account.wait_for_the_end(names, client)
    assert client.answers == {202: client.calls}, "the rows are the queue: nobody waits for the broker"
    show(account.close(names, client))
