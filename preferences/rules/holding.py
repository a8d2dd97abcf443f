"""When: until which moment something that may go out waits."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from preferences.rules.terms import CategoryRule, Circumstances, Hold, Person, Policy
from preferences.rules.times import DAY, Window, Windows, first_inside, first_outside

NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)

_SILENT = "in_app"
"""The channel that rings for nobody."""
_ALL_WEEK = (Window(0, DAY),)
_ROUNDS = 100
"""Each passes a window of one gate into which another one had led."""


class _Undisturbed(NamedTuple):
    """A reason to wait. `opened` is the first moment, at the given one or later, at which it is none."""

    until: dt.datetime
    reason: str = "do_not_disturb"

    def opened(self, at: dt.datetime) -> dt.datetime | None:
        return max(self.until, at)


class _Quiet(NamedTuple):
    windows: Windows
    timezone: str
    reason: str = "quiet_hours"

    def opened(self, at: dt.datetime) -> dt.datetime | None:
        return first_outside(self.windows, self.timezone, at)


class _Closed(NamedTuple):
    windows: Windows
    timezone: str
    holidays: frozenset[str]
    reason: str = "sending_hours"

    def opened(self, at: dt.datetime) -> dt.datetime | None:
        return first_inside(self.windows, self.timezone, at, holidays=self.holidays)


Gates = tuple[_Undisturbed | _Quiet | _Closed, ...]
"""By value: of a person's channels each asks the same, and of a chunk of people many do."""


def hold(
    person: Person, channel: str, category: CategoryRule, policy: Policy, asked: Circumstances
) -> Hold | None:
    """Why and until when it waits, None where it may go at once; `NEVER` where no time is left to it."""
    gates = _gates(person, category, policy)
    if not gates or _passes(channel, category, policy, asked):
        return None
    opens_at, reason = _opening(gates, asked.now)
    if not reason:
        return None
    until = _leaving(gates, opens_at, asked.deadline, policy.spread * asked.jitter)
    return Hold(opens_at, until, reason, _digest(person, policy))


def jitter(seed: UUID) -> float:
    """In [0, 1), always the same for the same person: what waits for them leaves at one moment."""
    return (seed.int & 0xFFFFFFFF) / 2**32


def _passes(channel: str, category: CategoryRule, policy: Policy, asked: Circumstances) -> bool:
    if channel == _SILENT and not policy.holds_in_app:
        return True
    return (category.is_critical and policy.critical_passes) or (asked.is_urgent and policy.urgent_passes)


def _gates(person: Person, category: CategoryRule, policy: Policy) -> Gates:
    gates: Gates = ()
    if person.do_not_disturb_until is not None:
        gates += (_Undisturbed(person.do_not_disturb_until),)
    if (quiet := person.quiet_hours) is not None:
        gates += (_Quiet(quiet.windows, quiet.timezone or person.timezone),)
    holidays = policy.holidays if category.skips_holidays else frozenset()
    if category.hours is not None or holidays:
        hours = _ALL_WEEK if category.hours is None else category.hours
        gates += (_Closed(hours, person.timezone, holidays),)
    return gates


@lru_cache(maxsize=4096)
def _opening(gates: Gates, now: dt.datetime) -> tuple[dt.datetime, str]:
    """The first moment at which all are open, and the first reason to wait for it: empty if that is now."""
    at, reason = now, ""
    for _ in range(_ROUNDS):
        before = at
        for gate in gates:
            if (opened := gate.opened(at)) is None:
                return NEVER, reason or gate.reason
            if opened != at:
                reason = reason or gate.reason
            at = opened
        if at == before:
            return at, reason
    return NEVER, reason


@lru_cache(maxsize=4096)
def _leaving(gates: Gates, opens_at: dt.datetime, deadline: dt.datetime | None, spread: float) -> dt.datetime:
    """Up to `spread` seconds after they open, not all bells at once; never in the next window."""
    if opens_at == NEVER:
        return NEVER
    later = opens_at + dt.timedelta(seconds=spread)
    is_late = deadline is not None and later >= deadline
    return opens_at if is_late or _opening(gates, later)[1] else later


def _digest(person: Person, policy: Policy) -> bool:
    chosen = person.quiet_hours.digest if person.quiet_hours else None
    return policy.digest if chosen is None else chosen
