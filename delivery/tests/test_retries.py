"""What next after an error: kinds by tries by what is left by deadline by policy."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.base import ErrorKind, ProviderError
from delivery.retries import LONGEST, Action, Policy, State, Step, next_step

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
POLICY = Policy()
ACCOUNTS, ROUTES, BOTH, NOTHING = (True, False), (False, True), (True, True), (False, False)


def step(kind: str, *, tries: int = 0, left: tuple[bool, bool] = NOTHING, **over: Any) -> Step:
    about = {name: over.pop(name) for name in ("retry_after", "elsewhere") if name in over}
    error = ProviderError(ErrorKind(kind), "no", **about)
    jitter = over.pop("jitter", 0.0)
    state = State(tries=tries, accounts_left=left[0], routes_left=left[1], **over)
    return next_step(error, state, POLICY, now=NOW, jitter=jitter)


def wait(step: Step) -> float:
    return (step.at - NOW).total_seconds()


def in_seconds(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_it_works() -> None:
    assert step("transient") == Step(Action.RETRY, "transient, retry 1 of 3", in_seconds(2))


@pytest.mark.parametrize(
    ("kind", "tries", "left", "action", "reason"),
    [
        ("transient", 0, NOTHING, "retry", "transient, retry 1 of 3"),
        ("transient", 2, BOTH, "retry", "transient, retry 3 of 3"),
        ("transient", 3, BOTH, "next_account", "retries spent: next account"),
        ("transient", 3, ACCOUNTS, "next_account", "retries spent: next account"),
        ("transient", 3, ROUTES, "next_route", "retries spent: next route"),
        ("transient", 3, NOTHING, "dead_letter", "retries_spent"),
        ("rate_limited", 0, NOTHING, "hold", "rate limited"),
        ("rate_limited", 3, BOTH, "hold", "rate limited"),
        ("account", 0, BOTH, "next_account", "account refused: next account"),
        ("account", 0, ROUTES, "next_route", "account refused: next route"),
        ("account", 0, NOTHING, "dead_letter", "account_refused"),
        ("address", 0, BOTH, "next_route", "address refused: next route"),
        ("address", 0, ACCOUNTS, "dead_letter", "address_refused"),
        ("address", 0, NOTHING, "dead_letter", "address_refused"),
        ("unknown", 0, NOTHING, "retry", "may have been accepted: sent again at once"),
        ("unknown", 3, ACCOUNTS, "next_account", "retries spent: next account"),
        ("unknown", 3, ROUTES, "next_route", "retries spent: next route"),
        ("unknown", 3, NOTHING, "dead_letter", "retries_spent"),
    ],
)
def test_it_goes_on_by_what_is_left(
    kind: str, tries: int, left: tuple[bool, bool], action: str, reason: str
) -> None:
    after = step(kind, tries=tries, left=left)
    assert (after.action, after.reason) == (action, reason)


@pytest.mark.parametrize(
    ("left", "action", "reason"),
    [
        (BOTH, Action.NEXT_ACCOUNT, "address refused: next account"),
        (ROUTES, Action.NEXT_ROUTE, "address refused: next route"),
        (NOTHING, Action.DEAD_LETTER, "address_refused"),
    ],
)
def test_an_address_that_another_account_may_reach_is_offered_to_it(
    left: tuple[bool, bool], action: Action, reason: str
) -> None:
    after = step("address", left=left, elsewhere=True, may_park=True)
    assert (after.action, after.reason) == (action, reason)


@pytest.mark.parametrize(
    ("kind", "left", "action"),
    [
        ("account", NOTHING, Action.PARK),
        ("account", ACCOUNTS, Action.NEXT_ACCOUNT),
        ("account", ROUTES, Action.NEXT_ROUTE),
        ("address", NOTHING, Action.DEAD_LETTER),
    ],
)
def test_it_parks_what_only_a_refusing_account_could_send(
    kind: str, left: tuple[bool, bool], action: Action
) -> None:
    assert step(kind, left=left, may_park=True).action is action


def test_it_looks_less_and_less_often_at_an_account_that_refuses() -> None:
    waits = [wait(step("account", may_park=True, calls=calls)) for calls in (1, 2, 3, 9, 99)]
    assert waits == [30, 60, 120, 900, 900]


@pytest.mark.parametrize("tries", [0, 3])
@pytest.mark.parametrize("left", [NOTHING, BOTH])
@pytest.mark.parametrize(("policy", "action"), [("wait", Action.AWAIT_RECEIPT), ("stop", Action.DEAD_LETTER)])
def test_it_never_sends_again_what_a_policy_forbids(
    policy: str, action: Action, tries: int, left: tuple[bool, bool]
) -> None:
    assert step("unknown", tries=tries, left=left, unknown_policy=policy).action is action


@pytest.mark.parametrize(("tries", "seconds"), [(0, 2), (1, 4), (2, 8)])
def test_it_doubles_the_wait(tries: int, seconds: float) -> None:
    assert wait(step("transient", tries=tries)) == seconds


@pytest.mark.parametrize(
    ("kind", "retry_after", "seconds"),
    [
        ("transient", 60, 60),  # the vendor's is longer than ours
        ("transient", 1, 2),  # ours is longer
        ("rate_limited", 30, 30),
        ("rate_limited", 0, 1),  # never at once: that would go round and round
        ("rate_limited", -5, 1),
        ("rate_limited", None, 1),
        ("rate_limited", float("inf"), LONGEST),
        ("transient", 1e300, LONGEST),
    ],
)
def test_it_honours_retry_after(kind: str, retry_after: float | None, seconds: float) -> None:
    assert wait(step(kind, retry_after=retry_after)) == seconds


def test_it_waits_longer_each_time_a_vendor_does_not_say_how_long() -> None:
    assert [wait(step("rate_limited", calls=calls)) for calls in (1, 2, 3, 500)] == [1, 2, 4, 150]


@pytest.mark.parametrize("kind", ["transient", "rate_limited"])
@pytest.mark.parametrize("retry_after", [None, 40.0])
def test_it_adds_up_to_a_quarter_of_jitter(kind: str, retry_after: float | None) -> None:
    least = wait(step(kind, retry_after=retry_after))
    most = wait(step(kind, retry_after=retry_after, jitter=0.999999))
    assert most == pytest.approx(least * 1.25, rel=1e-4)
    assert least < wait(step(kind, retry_after=retry_after, jitter=0.5)) < most


@pytest.mark.parametrize(
    ("kind", "left", "action"),
    [
        ("transient", BOTH, Action.NEXT_ACCOUNT),
        ("transient", ROUTES, Action.NEXT_ROUTE),
        ("transient", NOTHING, Action.EXPIRE),
        ("rate_limited", ACCOUNTS, Action.NEXT_ACCOUNT),
        ("rate_limited", NOTHING, Action.EXPIRE),
    ],
)
def test_it_does_not_wait_past_the_deadline(kind: str, left: tuple[bool, bool], action: Action) -> None:
    after = step(kind, left=left, deadline=in_seconds(1), retry_after=5)
    assert (after.action, after.at) == (action, NOW)


@pytest.mark.parametrize("kind", ["transient", "rate_limited", "account", "address", "unknown"])
def test_it_expires_what_would_be_sent_after_the_deadline(kind: str) -> None:
    assert step(kind, left=BOTH, deadline=NOW) == Step(Action.EXPIRE, "expired", NOW)


def test_it_still_waits_for_a_receipt_after_the_deadline() -> None:
    assert step("unknown", deadline=NOW, unknown_policy="wait").action is Action.AWAIT_RECEIPT


STATES = st.builds(
    State,
    tries=st.integers(0, 10),
    accounts_left=st.booleans(),
    routes_left=st.booleans(),
    deadline=st.none() | st.floats(-100, 10_000).map(in_seconds),
    unknown_policy=st.sampled_from(["resend", "wait", "stop"]),
    calls=st.integers(1, 100_000),
)
ERRORS = st.builds(
    ProviderError,
    st.sampled_from(ErrorKind),
    st.text(),
    retry_after=st.none() | st.floats(allow_nan=False),
)
SENDS_AGAIN = {Action.RETRY, Action.HOLD, Action.NEXT_ACCOUNT, Action.NEXT_ROUTE}


@given(ERRORS, STATES, st.floats(0, 1, exclude_max=True))
def test_it_always_answers_in_time_and_with_a_reason(
    error: ProviderError, state: State, jitter: float
) -> None:
    after = next_step(error, state, POLICY, now=NOW, jitter=jitter)
    assert after.reason
    assert after.at >= NOW
    if after.action in SENDS_AGAIN and state.deadline is not None:
        assert after.at < state.deadline
    if after.action is Action.NEXT_ACCOUNT:
        assert state.accounts_left
    if after.action is Action.NEXT_ROUTE:
        assert state.routes_left
    if error.kind is ErrorKind.RATE_LIMITED:
        assert after.action is not Action.RETRY
