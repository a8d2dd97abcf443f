"""What next after this error: a pure function from error and state to a step and its reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from delivery.providers.base import ErrorKind, ProviderError

LONGEST = dt.timedelta(days=1).total_seconds()
"""The longest wait that a vendor may ask for, in seconds."""


_PARKED_FIRST, _PARKED_LONGEST = 30.0, 900.0
"""Seconds between two looks at an account that refuses: its operator may mend it any minute, or tomorrow."""


class Action(StrEnum):
    RETRY = "retry"  # the same account, at `at`
    HOLD = "hold"  # the same account, at `at`, without using up a try
    NEXT_ACCOUNT = "next_account"
    NEXT_ROUTE = "next_route"
    PARK = "park"  # any account, at `at`: none works now, and somebody has to mend one
    AWAIT_RECEIPT = "await_receipt"
    DEAD_LETTER = "dead_letter"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Step:
    action: Action
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class State:
    """What the delivery still has: failed tries with this account, further accounts, further routes, time.

    `calls` counts all its attempts, this one too. `may_park`: it is young enough to wait for a person.
    """

    tries: int
    accounts_left: bool
    routes_left: bool
    deadline: dt.datetime | None = None
    unknown_policy: str = "resend"
    calls: int = 1
    may_park: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Exponential backoff: `base` doubled each time (2, 4, 8 s), at most `retries` times for an account."""

    retries: int = 3
    base: float = 2.0
    longest: float = 300.0

    def backoff(self, tries: int, jitter: float) -> float:
        """Seconds before try number `tries + 1`; `jitter` in [0, 1) adds up to a quarter."""
        return min(self.longest, self.base * 2.0 ** min(tries, 32)) * (1 + jitter / 4)


_SENDS_AGAIN = {Action.RETRY, Action.HOLD, Action.PARK, Action.NEXT_ACCOUNT, Action.NEXT_ROUTE}


def next_step(error: ProviderError, state: State, policy: Policy, *, now: dt.datetime, jitter: float) -> Step:
    """The step after a failed attempt. Never past the deadline: what cannot make it moves on or expires."""
    step = _after(error, state, policy, now=now, jitter=jitter)
    is_over = state.deadline is not None and state.deadline <= step.at
    return Step(Action.EXPIRE, "expired", now) if is_over and step.action in _SENDS_AGAIN else step


def _after(error: ProviderError, state: State, policy: Policy, *, now: dt.datetime, jitter: float) -> Step:
    match error.kind:
        case ErrorKind.RATE_LIMITED:
            wait = _asked_for(error, jitter) or policy.backoff(state.calls - 1, jitter) / policy.base
            return _wait(Action.HOLD, "rate limited", wait, state, now)
        case ErrorKind.TRANSIENT if state.tries < policy.retries:
            wait = max(policy.backoff(state.tries, jitter), _asked_for(error, jitter))
            reason = f"transient, retry {state.tries + 1} of {policy.retries}"
            return _wait(Action.RETRY, reason, wait, state, now)
        case ErrorKind.TRANSIENT:
            return _give_up_account("retries spent", state, now)
        case ErrorKind.ACCOUNT:
            return _after_account(state, now, jitter)
        case ErrorKind.ADDRESS:
            give_up = _give_up_account if error.elsewhere else _give_up_route
            return give_up("address refused", state, now)
        case ErrorKind.UNKNOWN:
            return _after_unknown(state, policy, now)


def _after_account(state: State, now: dt.datetime, jitter: float) -> Step:
    if state.accounts_left or state.routes_left or not state.may_park:
        return _give_up_account("account refused", state, now)
    wait = min(_PARKED_LONGEST, _PARKED_FIRST * 2.0 ** min(state.calls - 1, 16)) * (1 + jitter / 4)
    return _wait(Action.PARK, "account refused: parked until it is mended", wait, state, now)


def _asked_for(error: ProviderError, jitter: float) -> float:
    """Seconds that the vendor asked for, and a little more, so that not all come back at once."""
    return max(0.0, min(error.retry_after or 0.0, LONGEST)) * (1 + jitter / 4)


def _after_unknown(state: State, policy: Policy, now: dt.datetime) -> Step:
    if state.unknown_policy == "wait":
        return Step(Action.AWAIT_RECEIPT, "may have been accepted: waiting for a receipt", now)
    if state.unknown_policy == "stop":
        return Step(Action.DEAD_LETTER, "outcome_unknown", now)
    if state.tries < policy.retries:
        return _wait(Action.RETRY, "may have been accepted: sent again at once", 0.0, state, now)
    return _give_up_account("retries spent", state, now)


def _wait(action: Action, reason: str, seconds: float, state: State, now: dt.datetime) -> Step:
    at = now + dt.timedelta(seconds=seconds)
    if state.deadline is None or at < state.deadline:
        return Step(action, reason, at)
    return _give_up_account("deadline is before the retry", state, now)


def _give_up_account(reason: str, state: State, now: dt.datetime) -> Step:
    if state.accounts_left:
        return Step(Action.NEXT_ACCOUNT, f"{reason}: next account", now)
    return _give_up_route(reason, state, now)


def _give_up_route(reason: str, state: State, now: dt.datetime) -> Step:
    if state.routes_left:
        return Step(Action.NEXT_ROUTE, f"{reason}: next route", now)
    if reason.startswith("deadline"):
        return Step(Action.EXPIRE, "expired", now)
    return Step(Action.DEAD_LETTER, reason.replace(" ", "_"), now)
