"""Which account next: a table of snapshots, a clock that is given, dice that are seeded."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from random import Random
from typing import Any

import pytest

from delivery.routing import (
    BREAKER,
    DRAINED_FOR,
    RECOVERY,
    Account,
    Choice,
    NoAccount,
    choose,
    health_after,
)
from tenants.ids import new_id

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def account(name: str = "one", **over: Any) -> Account:
    fields = {"id": new_id(), "name": name, "channel": "sms", "provider": "twilio", "health_at": NOW}
    return Account(**{**fields, **over})


def chosen(accounts: list[Account], **over: Any) -> Choice:
    choice = choose(accounts, **{"now": NOW, "random": Random(1), **over})
    assert isinstance(choice, Choice)
    return choice


def none_of(accounts: list[Account], **over: Any) -> NoAccount:
    choice = choose(accounts, **{"now": NOW, "random": Random(1), **over})
    assert isinstance(choice, NoAccount)
    return choice


def draws(accounts: list[Account], times: int = 20_000) -> dict[str, float]:
    random = Random(7)
    counts = Counter(chosen(accounts, random=random).account.name for _ in range(times))
    return {name: count / times for name, count in counts.items()}


def test_it_works() -> None:
    only = account()
    assert chosen([only]) == Choice(only, "priority 10")


def test_it_takes_the_lowest_priority_number() -> None:
    first, second = account("first", priority=1), account("second", priority=2, weight=1000)
    assert {chosen([second, first], random=Random(seed)).account.name for seed in range(50)} == {"first"}


def test_it_draws_by_weight_among_equals() -> None:
    shares = draws([account("three", weight=300), account("one", weight=100)])
    assert shares["three"] == pytest.approx(0.75, abs=0.02)


def test_it_gives_no_account_a_weight_of_nothing() -> None:
    assert draws([account("zero", weight=0), account("two", weight=2)])["zero"] == pytest.approx(
        1 / 3, abs=0.02
    )


def test_it_takes_weight_from_an_account_that_fails() -> None:
    shares = draws([account("ill", health=0.25), account("well")])
    assert shares["ill"] == pytest.approx(0.2, abs=0.02)


def test_it_says_why() -> None:
    ill, spent = account("ill", health=0.0), account("spent")
    peers = [account("a"), account("b")]
    choice = chosen([ill, spent, *peers], spent=[str(spent.id)])
    assert choice.reason == (
        "priority 10, weight gave it 50% of 2 accounts, 1 resting after failures, 1 given up on"
    )


@pytest.mark.parametrize(
    ("health", "seconds_later", "is_open"),
    [
        (1.0, 0, False),
        (BREAKER, 0, False),
        (BREAKER - 0.01, 0, True),
        (BREAKER - 0.01, 2.9, True),
        (BREAKER - 0.01, 3.1, False),
        (0.0, 29, True),
        (0.0, 31, False),
        (0.0, -60, True),  # another machine's clock is ahead
    ],
)
def test_it_leaves_an_account_alone_until_it_has_drifted_back(
    health: float, seconds_later: float, is_open: bool
) -> None:
    assert account(health=health).is_open(NOW + dt.timedelta(seconds=seconds_later)) is is_open


def test_it_is_half_open_at_the_breaker_and_drifts_to_full_health() -> None:
    ill = account("ill", health=BREAKER)
    assert draws([ill, account("well")])["ill"] == pytest.approx(BREAKER / (1 + BREAKER), abs=0.02)
    assert ill.health_now(NOW + RECOVERY / 2) == pytest.approx(BREAKER + 0.5)
    assert ill.health_now(NOW + 10 * RECOVERY) == 1.0


def test_it_falls_back_to_the_next_priority_while_the_first_rests() -> None:
    choice = chosen([account("first", priority=1, health=0.0), account("second", priority=2)])
    assert (choice.account.name, choice.reason) == ("second", "priority 2, 1 resting after failures")


def test_it_stays_with_the_account_that_is_being_retried() -> None:
    mine = account("mine", priority=50)
    choice = chosen([account("better", priority=1), mine], stay_with=mine.id)
    assert choice == Choice(mine, "retry with the same account")


@pytest.mark.parametrize("why_not", ["resting", "spent", "gone"])
def test_it_does_not_stay_with_one_that_cannot_be_used(why_not: str) -> None:
    mine, other = account("mine", health=0.0 if why_not == "resting" else 1.0), account("other")
    accounts = [other] if why_not == "gone" else [mine, other]
    spent = [str(mine.id)] if why_not == "spent" else []
    assert chosen(accounts, stay_with=mine.id, spent=spent).account == other


def test_it_says_when_there_is_none() -> None:
    assert none_of([]) == NoAccount("no account for this channel")


def test_it_says_when_all_are_spent() -> None:
    one, two = account("one"), account("two")
    assert none_of([one, two], spent=[str(one.id), str(two.id)]) == NoAccount("every account was tried")


def test_it_says_when_the_first_of_those_resting_is_well() -> None:
    none = none_of([account("worse", health=0.0), account("better", health=0.05)])
    assert none.reason == "every account is resting after failures"
    assert none.well_at is not None
    assert (none.well_at - NOW).total_seconds() == pytest.approx(15)


def test_it_can_be_tried_when_it_is_said_to_be_well() -> None:
    resting = account(health=0.03)
    well_at = none_of([resting]).well_at
    assert well_at is not None
    assert chosen([resting], now=well_at + dt.timedelta(microseconds=1)).account == resting


@pytest.mark.parametrize(("failed", "of", "left"), [(1, 1, 0.3), (0, 5, 1.0), (1, 10, 0.93), (10, 10, 0.3)])
def test_it_loses_health_by_the_share_that_failed(failed: int, of: int, left: float) -> None:
    assert health_after(account(), failed=failed, of=of, now=NOW) == pytest.approx(left)


def test_two_lost_chunks_open_the_breaker() -> None:
    once = account(health=health_after(account(), failed=200, of=200, now=NOW))
    assert not once.is_open(NOW)
    assert account(health=health_after(once, failed=200, of=200, now=NOW)).is_open(NOW)


PINNED: dict[str, Any] = {"steering": "pin"}
DRAINED: dict[str, Any] = {"steering": "drain"}


def in_order(name: str, place: int | None, **over: Any) -> Account:
    return account(name, place=place, **over)


@pytest.mark.parametrize(
    ("accounts", "expected", "reason"),
    [
        (
            [account("best", priority=1), in_order("named", 0, priority=99)],
            "named",
            "number 1 in the tenant's order",
        ),
        ([in_order("second", 1), in_order("first", 0)], "first", "number 1 in the tenant's order"),
        (
            [in_order("first", 0, health=0.0), in_order("second", 1), account("other", priority=0)],
            "second",
            "number 2 in the tenant's order, 1 resting after failures",
        ),
        (
            [in_order("first", 0, health=0.0), account("other", priority=7)],
            "other",
            "priority 7, 1 resting after failures",
        ),
        ([in_order("only", 3)], "only", "number 4 in the tenant's order"),
    ],
)
def test_the_tenants_order_comes_before_priority(accounts: list[Account], expected: str, reason: str) -> None:
    choice = chosen(accounts)
    assert (choice.account.name, choice.reason) == (expected, reason)


@pytest.mark.parametrize(
    ("accounts", "expected", "reason"),
    [
        (
            [account("first", priority=1), account("pin", priority=50, **PINNED)],
            "pin",
            "pinned, priority 50",
        ),
        (
            [account("well"), account("pin", health=0.0, **PINNED)],
            "pin",
            "pinned, priority 10",
        ),  # no breaker
        ([in_order("named", 0), account("pin", **PINNED)], "pin", "pinned, priority 10"),
        (
            [account("a", priority=2, **PINNED), account("b", priority=1, **PINNED)],
            "b",
            "pinned, priority 1",
        ),
        ([account("out", priority=1, **DRAINED), account("in")], "in", "priority 10, 1 drained"),
        ([in_order("out", 0, **DRAINED), account("in")], "in", "priority 10, 1 drained"),
        (
            [account("out", **DRAINED), account("ill", health=0.0), account("in")],
            "in",
            "priority 10, 1 resting after failures, 1 drained",
        ),
    ],
)
def test_an_operators_word_stands_above_all(accounts: list[Account], expected: str, reason: str) -> None:
    choice = chosen(accounts)
    assert (choice.account.name, choice.reason) == (expected, reason)


def test_a_pin_takes_retries_over() -> None:
    mine, pin = account("mine"), account("pin", **PINNED)
    assert chosen([mine, pin], stay_with=mine.id).account == pin


def test_a_pinned_account_that_was_given_up_on_is_not_tried_again() -> None:
    pin, other = account("pin", **PINNED), account("other")
    assert chosen([pin, other], spent=[str(pin.id)]).account == other


def test_what_was_being_retried_leaves_a_drained_account() -> None:
    mine, other = account("mine", **DRAINED), account("other")
    assert chosen([mine, other], stay_with=mine.id).account == other


def test_what_has_only_drained_accounts_waits() -> None:
    assert none_of([account(**DRAINED)]) == NoAccount("every account is drained", NOW + DRAINED_FOR)


def test_two_pinned_without_any_health_can_be_drawn() -> None:
    drawn = draws([account("a", health=0.0, **PINNED), account("b", health=0.0, **PINNED)], times=200)
    assert set(drawn) == {"a", "b"}
