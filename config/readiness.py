"""Is everything there that a notification needs to get out? All checks at once, under one deadline."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from config import overdue
from config.broker import valkey
from notifications.models import Priority
from tenants.context import installation_scope

DEADLINE = 1.5  # seconds for all checks together
TICK_STALE = dt.timedelta(seconds=30)
ROW_OVERDUE = dt.timedelta(minutes=2)

# A check that hangs keeps its thread until its engine's own timeout, so there are some to spare.
_pool = ThreadPoolExecutor(24, thread_name_prefix="readiness")


class NotReadyError(Exception):
    """The reason, in words for the person on duty."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


def check_all(deadline: float = DEADLINE) -> list[Check]:
    """Every check's result, in the order of `CHECKS`, within `deadline` seconds."""
    running = {name: _pool.submit(_in_own_connection, check) for name, check in CHECKS.items()}
    wait(running.values(), timeout=deadline)
    return [Check(name, _reason(future, deadline)) for name, future in running.items()]


def _reason(future: Future[None], deadline: float) -> str:
    if not future.done():
        future.cancel()
        return f"no answer within {deadline:g} s"
    error = future.exception()
    if error is None or isinstance(error, NotReadyError):
        return str(error or "")
    return f"away ({type(error).__name__})"


def _in_own_connection(check: Callable[[], None]) -> None:
    try:
        check()
    finally:
        connection.close()


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


class Migrations:
    """Reading the migration files takes a while; once applied they stay so for the life of a process."""

    applied = False

    def __call__(self) -> None:
        if self.applied:
            return
        executor = MigrationExecutor(connection)
        if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise NotReadyError(f"{len(plan)} migrations are not applied: run `python manage.py migrate`")
        self.applied = True


def _broker() -> None:
    with valkey(settings.CELERY_BROKER_URL) as client:
        client.ping()


def _live_feed() -> None:
    """A message must come back through the channel; ours is a random one, so nobody else hears it."""
    with valkey(settings.REDIS_URL) as client, client.pubsub() as feed:  # type: ignore[no-untyped-call]
        channel = f"readiness:{uuid.uuid4()}"
        feed.subscribe(channel)
        feed.get_message(timeout=1.0)
        client.publish(channel, b"ping")
        deadline = time.monotonic() + 1.0
        while (message := feed.get_message(timeout=0.1)) is None and time.monotonic() < deadline:
            pass
        if message is None or message["type"] != "message":
            raise NotReadyError("what is published does not arrive")


def _beat() -> None:
    last = overdue.last_tick()
    if last is None:
        raise NotReadyError("never ticked: start beat and a worker")
    if (age := timezone.now() - last) > TICK_STALE:
        raise NotReadyError(
            f"last tick {age.total_seconds():.0f} s ago: beat, or every worker, is down or stuck"
        )


def _oldest_delivery() -> None:
    with installation_scope():
        _refuse_overdue("a delivery", overdue.delivery_overdue(timezone.now()))


def _oldest_notification() -> None:
    with installation_scope():
        now = timezone.now()
        _refuse_overdue("a scheduled notification", overdue.schedule_overdue(now))
        _refuse_overdue("a digest", overdue.digest_overdue(now))
        _refuse_overdue("an urgent notification", overdue.oldest_unplanned(now, Priority.URGENT))


def _refuse_overdue(what: str, late: dt.timedelta) -> None:
    if late > ROW_OVERDUE:
        raise NotReadyError(f"{what} has been due for {late.total_seconds():.0f} s and nobody took it")


CHECKS: Mapping[str, Callable[[], None]] = {
    "database": _database,
    "migrations": Migrations(),
    "broker": _broker,
    "live_feed": _live_feed,
    "beat": _beat,
    "oldest_delivery": _oldest_delivery,
    "oldest_notification": _oldest_notification,
}
