"""Workers that are killed or hang while they send."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from config.tests.processes import wait_until
from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.client import Client, sending
from notifications.tests.survival.stack import STARTS, Process, Stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(480)]

Show = Callable[[Summary], None]
Dice = random.Random

CHANNELS = ("sms", "email")
NOTIFICATIONS = 1_000
HALF = 500
KILLS = 4

_HELD = "SELECT id FROM delivery_delivery WHERE status = 'sending'"
_IN_TRANSACTION = """
    SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = %(worker)s
"""
# What its worker tells of an attempt that was given up meanwhile stands beside the surmise.
_LATE = "SELECT delivery_id FROM delivery_attempt GROUP BY delivery_id, number HAVING count(*) > 1"


def client_of(stack: Stack) -> Client:
    return Client(stack.url, stack.key, CHANNELS)


def moments(dice: Dice, notifications: int) -> list[int]:
    """How many deliveries are done when it happens."""
    return sorted(dice.sample(range(notifications * len(CHANNELS) * 3 // 4), KILLS))


def test_workers_killed(stack: Stack, account: Account, dice: Dice, show: Show) -> None:
    """The first while it is alone and surely holds something, the others at any moment."""
    names, client = account.names(NOTIFICATIONS), client_of(stack)
    first, *others = moments(dice, NOTIFICATIONS)
    with ExitStack() as running, sending(client, names):
        running.enter_context(stack.beat())
        worker = running.enter_context(stack.worker())
        account.wait_for(first)
        freeze_when(worker, lambda: stack.ask(_HELD))
        worker.kill()
        workers = [running.enter_context(stack.worker()) for _ in range(2)]
        for moment in others:
            account.wait_for(moment)
            workers.pop(dice.randrange(2)).kill()
            workers.append(running.enter_context(stack.worker()))
        account.wait_for_the_end(names, client)
    summary = account.close(names, client)
    assert summary.unknown, "somebody was killed between provider and record"
    show(summary)


def test_pool_processes_killed(stack: Stack, account: Account, dice: Dice, show: Show) -> None:
    names, client = account.names(HALF), client_of(stack)
    stack.sandbox.fault("twilio", latency_ms=50)
    with stack.beat(), stack.worker() as worker, stack.worker(), sending(client, names):
        for moment in moments(dice, HALF):
            account.wait_for(moment)
            worker.wait_for_pool()
            dice.choice(worker.children).kill()
        account.wait_for_the_end(names, client)
    show(account.close(names, client))


def test_a_worker_hung_while_it_sends(stack: Stack, account: Account, show: Show) -> None:
    names, client = account.names(HALF), client_of(stack)
    with stack.beat(), stack.worker() as hung, sending(client, names):
        account.wait_for(HALF // 2)
        freeze_when(hung, lambda: stack.ask(_HELD))
        with stack.worker():
            account.wait_for_the_end(names, client)  # the others do not wait for it
            hung.thaw()
            wait_until(lambda: bool(stack.ask(_LATE)), STARTS)
    summary = account.close(names, client)
    assert summary.unknown
    show(summary)


def test_a_worker_hung_in_a_transaction(stack: Stack, account: Account, show: Show) -> None:
    names, client = account.names(HALF), client_of(stack)
    with stack.beat(), stack.worker() as hung, sending(client, names):
        account.wait_for(HALF // 2)
        freeze_when(hung, lambda: stack.ask(_IN_TRANSACTION, worker=hung.name))
        with stack.worker():
            account.wait_for_the_end(names, client)
            hung.thaw()
    show(account.close(names, client))


def freeze_when(worker: Process, is_caught: Callable[[], list[Any]]) -> None:
    """Hang the worker at a moment of which that holds."""

    def caught() -> bool:
        worker.freeze()
        if not (found := is_caught()):
            worker.thaw()
        return bool(found)

    wait_until(caught, STARTS)
