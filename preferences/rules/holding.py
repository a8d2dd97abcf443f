"""When: until which moment something that may go out waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from preferences.rules.terms import CategoryRule, Circumstances, Hold, Person, Policy
from preferences.rules.times import DAY, Window, first_inside, first_outside

NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)

Gate = tuple[str, Callable[[dt.datetime], dt.datetime | None]]
"""A reason to wait, and the first moment, at the given one or later, at which there is no such reason."""

_SILENT = "in_app"
"""The channel that rings for nobody."""
_ALL_WEEK = (Window(0, DAY),)
_ROUNDS = 100
"""Each passes a window of one gate into which another one had led."""


def hold(
    person: Person, channel: str, category: CategoryRule, policy: Policy, asked: Circumstances
) -> Hold | None:
    """Why and until when it waits, None where it may go at once; `NEVER` where no time is left to it."""
    gates = _gates(person, category, policy)
    if not gates or _passes(channel, category, policy, asked):
        return None
    opens_at = _opening(gates, asked.now)
    if opens_at == asked.now:
        return None
    reason = next(reason for reason, gate in gates if gate(asked.now) != asked.now)
    return Hold(opens_at, _leaving(gates, opens_at, policy, asked), reason, _digest(person, policy))


def jitter(seed: UUID) -> float:
    """In [0, 1), always the same for the same person: what waits for them leaves at one moment."""
    return (seed.int & 0xFFFFFFFF) / 2**32


def _passes(channel: str, category: CategoryRule, policy: Policy, asked: Circumstances) -> bool:
    if channel == _SILENT and not policy.holds_in_app:
        return True
    return (category.is_critical and policy.critical_passes) or (asked.is_urgent and policy.urgent_passes)


def _gates(person: Person, category: CategoryRule, policy: Policy) -> list[Gate]:
    gates: list[Gate] = []
    if person.do_not_disturb_until is not None:
        gates.append(("do_not_disturb", partial(max, person.do_not_disturb_until)))
    if (quiet := person.quiet_hours) is not None:
        of_person = partial(first_outside, quiet.windows, quiet.timezone or person.timezone)
        gates.append(("quiet_hours", of_person))
    holidays = policy.holidays if category.skips_holidays else frozenset()
    if category.hours is not None or holidays:
        of_category = partial(
            first_inside,
            _ALL_WEEK if category.hours is None else category.hours,
            person.timezone,
            holidays=holidays,
        )
        gates.append(("sending_hours", of_category))
    return gates


def _opening(gates: Sequence[Gate], now: dt.datetime) -> dt.datetime:
    """The first moment at which all are open."""
    for _ in range(_ROUNDS):
        at = now
        for _, gate in gates:
            if (opened := gate(at)) is None:
                return NEVER
            at = opened
        if at == now:
            return now
        now = at
    return NEVER


def _leaving(
    gates: Sequence[Gate], opens_at: dt.datetime, policy: Policy, asked: Circumstances
) -> dt.datetime:
    """A little after they open, so that not everybody's bell rings at once; never in the next window."""
    if opens_at == NEVER:
        return NEVER
    later = opens_at + dt.timedelta(seconds=policy.spread * asked.jitter)
    is_late = asked.deadline is not None and later >= asked.deadline
    return opens_at if is_late or _opening(gates, later) != later else later


def _digest(person: Person, policy: Policy) -> bool:
    chosen = person.quiet_hours.digest if person.quiet_hours else None
    return policy.digest if chosen is None else chosen
