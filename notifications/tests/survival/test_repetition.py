"""Two workers, two beats, every task delivered twice: no notification is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
import redis

from config.tests.processes import wait_until
from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.client import Client
from notifications.tests.survival.stack import RUNS, Stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(480)]

CHANNELS = ("sms", "email", "in_app")
NOTIFICATIONS = 300
TWICE = "notifications.tests.survival.twice"
TASKS = ("notifications.plan", "delivery.dispatch")
LEASE = 60  # seconds: nobody is lost here, so nobody is to be taken for lost


def test_every_task_delivered_twice(stack: Stack, account: Account, show: Callable[[Summary], None]) -> None:
    names = account.names(NOTIFICATIONS)
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(stack.beat(TWICE))
            running.enter_context(stack.worker(TWICE, lease=LEASE))
        client = Client(running.enter_context(stack.web(f"{TWICE}_asgi:application")), stack.key, CHANNELS)
        client.send(names)
        account.wait_for_the_end(names, client)
        wait_until(lambda: all(set(runs(stack, task)) == {2} for task in TASKS))
    summary = account.close(names, client)
    assert (summary.unknown, summary.duplicates) == (0, 0)
    show(summary)


def runs(stack: Stack, task: str) -> list[int]:
    """How often each message of the task was really worked on."""
    with redis.Redis.from_url(stack.valkey.url, decode_responses=True) as client:
        counted = client.hgetall(RUNS)
    return [int(times) for run, times in counted.items() if run.startswith(f"{task} ")]
