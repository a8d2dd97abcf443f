"""How each account did in the last hour: calls, errors, latency, in buckets of five minutes in Valkey.

A call is counted in this process and handed over once a second, so it costs a chunk nothing, neither a
query nor a round trip. What a process that dies has not handed over is lost, and so is all of it with Valkey:
it is for operators to look at. What routing goes by is the health on the account's row.
"""

from __future__ import annotations

import datetime as dt
import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock, Timer
from typing import TypeGuard
from uuid import UUID

from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.rates import pool
from delivery.settlement import Call

logger = logging.getLogger(__name__)

BLAMES_ACCOUNT = {ErrorKind.TRANSIENT, ErrorKind.ACCOUNT, ErrorKind.UNKNOWN}
"""What an account's health and its rate of errors suffer from: not a wrong address, nor its own rate."""
CLASSES = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)
"""The upper ends, in ms, of the classes of latency; more than a minute counts as a minute."""

_BUCKET = 300
_BUCKETS = 12
_HAND_OVER = 1.0  # seconds after the first call that is not handed over yet

_counted: Counter[tuple[str, str]] = Counter()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Vitals:
    """An account's last hour. `typical_ms` and `slow_ms`: half, and 95 %, of the calls took no longer."""

    calls: int
    failed: int
    typical_ms: int
    slow_ms: int

    @property
    def error_rate(self) -> float:
        return self.failed / self.calls


class _Tally:
    """One account's calls of a chunk."""

    def __init__(self, call: Call) -> None:
        self.account, self.at = call.choice.account, call.started_at
        self.calls = self.failed = 0
        self.classes = [0] * (len(CLASSES) + 1)

    def fields(self) -> Iterator[tuple[str, int]]:
        *classes, longer = self.classes
        classes[-1] += longer
        yield "calls", self.calls
        yield "failed", self.failed
        yield from ((str(end), number) for end, number in zip(CLASSES, classes, strict=True))


def is_blamed(outcome: Sent | ProviderError) -> TypeGuard[ProviderError]:
    """Whether the account is to blame for this outcome."""
    return isinstance(outcome, ProviderError) and outcome.kind in BLAMES_ACCOUNT and not outcome.spares_health


def count(calls: Iterable[Call]) -> None:
    """Count these calls, and see that they are handed over soon."""
    tallies: dict[int, _Tally] = {}  # by the account's identity: hashing its UUID is what would cost most
    for call in calls:
        account = call.choice.account
        tally = tallies.get(id(account)) or tallies.setdefault(id(account), _Tally(call))
        tally.calls += 1
        tally.classes[bisect_left(CLASSES, call.outcome.latency_ms)] += 1
        if is_blamed(call.outcome):
            tally.failed += 1
    if known := [tally for tally in tallies.values() if tally.account.id is not None]:
        _add(known)


def _add(tallies: Iterable[_Tally]) -> None:
    with _lock:
        is_first = not _counted
        for tally in tallies:
            assert tally.account.id is not None
            key = _key(tally.account.id, _bucket(tally.at))
            _counted.update({(key, field): number for field, number in tally.fields() if number})
    if is_first:
        timer = Timer(_HAND_OVER, hand_over)
        timer.daemon = True
        timer.start()


def _bucket(at: dt.datetime) -> int:
    return int(at.timestamp()) // _BUCKET


def _key(account: UUID, bucket: int) -> str:
    return f"vitals:{account}:{bucket}"


@cache
def _client() -> Redis:
    return Redis(connection_pool=pool())


def hand_over() -> None:
    """Give what was counted to Valkey: one round trip. Nobody waits for it."""
    with _lock:
        counted = dict(_counted)
        _counted.clear()
    with _client().pipeline(transaction=False) as pipeline:
        for (key, field), number in counted.items():
            pipeline.hincrby(key, field, number)
        for key in {key for key, _ in counted}:
            pipeline.expire(key, (_BUCKETS + 1) * _BUCKET)
        try:
            pipeline.execute()
        except RedisError:
            logger.warning("calls are not counted: Valkey is away", extra={"calls": sum(counted.values())})


def last_hour(accounts: Collection[UUID], *, now: dt.datetime | None = None) -> dict[UUID, Vitals]:
    """Those that made calls, by one round trip of a dozen small hashes each. Empty while Valkey is away."""
    latest = _bucket(now or timezone.now())
    ids = list(accounts)
    with _client().pipeline(transaction=False) as pipeline:
        for id in ids:
            for bucket in range(latest - _BUCKETS + 1, latest + 1):
                pipeline.hgetall(_key(id, bucket))
        try:
            hashes = pipeline.execute()
        except RedisError:
            return {}
    sums: dict[UUID, Counter[str]] = {id: Counter() for id in ids}
    for place, fields in enumerate(hashes):
        sums[ids[place // _BUCKETS]].update({name.decode(): int(n) for name, n in fields.items()})
    return {id: _vitals(total) for id, total in sums.items() if total["calls"]}


def _vitals(total: Counter[str]) -> Vitals:
    return Vitals(total["calls"], total["failed"], _within(total, 0.5), _within(total, 0.95))


def _within(total: Counter[str], share: float) -> int:
    """The end of the class in which that share of the calls is reached."""
    so_far = 0
    for end in CLASSES:
        so_far += total[str(end)]
        if so_far >= share * total["calls"]:
            return end
    return CLASSES[-1]
