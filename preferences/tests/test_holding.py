"""When: what quiet hours, do-not-disturb and sending hours hold, until when, and what they let pass."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preferences.rules import (
    CategoryRule,
    Circumstances,
    Decision,
    Person,
    Policy,
    QuietHours,
    Window,
    decide,
    jitter,
)
from preferences.rules.times import first_inside, first_outside
from preferences.tests.test_rules import ANN, person
from preferences.tests.test_times import ZONES, moments, utc, window, windows

NIGHT = QuietHours((window("22:00", "07:00"),))
NEWS = CategoryRule("news", is_critical=False, unknown_policy="stop")
ALARM = CategoryRule("alarm", is_critical=True, unknown_policy="resend")
OFFERS = replace(NEWS, hours=(window("09:00", "20:00", 0, 1, 2, 3, 4),), skips_holidays=True)
WITH_HOLIDAYS = Policy(holidays=frozenset({"12-25"}))
EVERYWHERE = {"email": (ANN,), "in_app": ("id",), "sms": ("+15005550006",)}


def ask(
    who: Person,
    category: CategoryRule = NEWS,
    policy: Policy = Policy(),  # noqa: B008 - it is frozen
    channel: str = "email",
    *,
    at: str = "2026-07-01T23:00",
    **asked: Any,
) -> Decision:
    (decision,) = decide(who, channel, category, policy=policy, asked=Circumstances(utc(at), **asked))
    return decision


def sleeper(**over: Any) -> Person:
    return person(EVERYWHERE, **{"quiet_hours": NIGHT, **over})


def test_it_works() -> None:
    decision = ask(sleeper())
    assert (decision.allowed, decision.reason) == (True, "quiet_hours")
    assert decision.hold is not None
    assert decision.hold.opens_at == decision.hold.until == utc("2026-07-02T07:00")


DND = {"quiet_hours": None, "do_not_disturb_until": utc("2026-07-02T09:30")}
SUNDAY = window("00:00", "24:00", 6)

# Who, which category, the tenant's policy, what else: why it waits and until when, or that it does not.
TABLE: list[tuple[Person, CategoryRule, Policy, dict[str, Any], str, str]] = [
    (sleeper(), NEWS, Policy(), {"at": "2026-07-01T21:59"}, "allowed", ""),
    (sleeper(), NEWS, Policy(), {"at": "2026-07-02T06:59"}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(), NEWS, Policy(), {"at": "2026-07-02T07:00"}, "allowed", ""),
    (
        sleeper(timezone="Asia/Tokyo"),
        NEWS,
        Policy(),
        {"at": "2026-07-01T14:00"},
        "quiet_hours",
        "2026-07-01T22:00",
    ),
    (
        sleeper(quiet_hours=replace(NIGHT, timezone="Asia/Tokyo")),
        NEWS,
        Policy(),
        {"at": "2026-07-01T14:00"},
        "quiet_hours",
        "2026-07-01T22:00",
    ),
    # urgent and critical pass, unless the tenant says otherwise
    (sleeper(), NEWS, Policy(), {"is_urgent": True}, "allowed", ""),
    (sleeper(), NEWS, Policy(urgent_passes=False), {"is_urgent": True}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(), ALARM, Policy(), {}, "critical", ""),
    (sleeper(**DND), ALARM, Policy(), {}, "critical", ""),
    (sleeper(), ALARM, Policy(critical_passes=False), {}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(), ALARM, Policy(critical_passes=False), {"is_urgent": True}, "critical", ""),
    # the feed does not ring
    (sleeper(), NEWS, Policy(), {"channel": "in_app"}, "allowed", ""),
    (sleeper(), NEWS, Policy(holds_in_app=True), {"channel": "in_app"}, "quiet_hours", "2026-07-02T07:00"),
    # do not disturb
    (sleeper(**DND), NEWS, Policy(), {}, "do_not_disturb", "2026-07-02T09:30"),
    (sleeper(**DND), NEWS, Policy(), {"at": "2026-07-02T09:30"}, "allowed", ""),
    (
        sleeper(do_not_disturb_until=utc("2026-07-02T05:00")),
        NEWS,
        Policy(),
        {},
        "do_not_disturb",
        "2026-07-02T07:00",
    ),
    (
        sleeper(do_not_disturb_until=utc("2026-07-02T22:30")),
        NEWS,
        Policy(),
        {},
        "do_not_disturb",
        "2026-07-03T07:00",
    ),
    # switches say whether, and then it is not held, only to be dropped
    (sleeper(channels={"email": False}), NEWS, Policy(), {}, "channel_off", ""),
    (sleeper(templates={("", "email"): True}), NEWS, Policy(), {}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(channels={"email": True}), NEWS, Policy(), {}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(block="why"), NEWS, Policy(), {}, "recipient_blocked", ""),
    (sleeper(suppressed={("email", ANN): "bounced"}), NEWS, Policy(), {}, "suppressed:bounced", ""),
    # the deadline
    (sleeper(), NEWS, Policy(), {"deadline": utc("2026-07-02T07:00:01")}, "quiet_hours", "2026-07-02T07:00"),
    (sleeper(), NEWS, Policy(), {"deadline": utc("2026-07-02T07:00")}, "quiet_hours", "too late"),
    (sleeper(**DND), NEWS, Policy(), {"deadline": utc("2026-07-02T08:00")}, "do_not_disturb", "too late"),
    # sending hours, by the recipient's clock
    (person(), OFFERS, Policy(), {"at": "2026-07-01T12:00"}, "allowed", ""),
    (person(), OFFERS, Policy(), {}, "sending_hours", "2026-07-02T09:00"),
    (
        person(timezone="Asia/Tokyo"),
        OFFERS,
        Policy(),
        {"at": "2026-07-03T12:00"},
        "sending_hours",
        "2026-07-06T00:00",
    ),
    (person(), OFFERS, WITH_HOLIDAYS, {"at": "2026-12-24T21:00"}, "sending_hours", "2026-12-28T09:00"),
    (person(), NEWS, WITH_HOLIDAYS, {"at": "2026-12-25T12:00"}, "allowed", ""),
    (
        person(),
        replace(NEWS, skips_holidays=True),
        WITH_HOLIDAYS,
        {"at": "2026-12-25T12:00"},
        "sending_hours",
        "2026-12-26T00:00",
    ),
    # both: the first moment that suits everybody
    (
        sleeper(quiet_hours=QuietHours((window("20:00", "11:00"),))),
        OFFERS,
        Policy(),
        {},
        "quiet_hours",
        "2026-07-02T11:00",
    ),
    (
        sleeper(quiet_hours=QuietHours((window("08:00", "19:00", 3),))),
        OFFERS,
        Policy(),
        {},
        "sending_hours",
        "2026-07-02T19:00",
    ),
    (
        sleeper(quiet_hours=QuietHours((window("08:00", "21:00", 0, 1, 2, 3, 4),))),
        OFFERS,
        Policy(),
        {},
        "sending_hours",
        "",
    ),
    (person(), replace(NEWS, hours=()), Policy(), {}, "sending_hours", ""),
]


@pytest.mark.parametrize(("who", "category", "policy", "asked", "reason", "until"), TABLE)
def test_it_waits(
    who: Person, category: CategoryRule, policy: Policy, asked: dict[str, Any], reason: str, until: str
) -> None:
    decision = ask(who, category, policy, **asked)
    assert decision.reason == reason
    if not until:
        assert decision.hold is None
        return
    assert decision.hold is not None
    assert decision.allowed is (until != "too late")
    if decision.allowed:
        assert decision.hold.until == utc(until)


@pytest.mark.parametrize(
    ("policy", "jitter", "deadline", "minutes"),
    [
        (Policy(spread=600), 0.5, None, 5),
        (Policy(spread=600), 0.5, utc("2026-07-02T07:06"), 5),
        (Policy(spread=600), 0.5, utc("2026-07-02T07:05"), 0),  # rather early than never
        (Policy(), 0.5, None, 0),
    ],
)
def test_not_everybodys_bell_rings_at_seven(
    policy: Policy, jitter: float, deadline: dt.datetime | None, minutes: int
) -> None:
    decision = ask(sleeper(), policy=policy, jitter=jitter, deadline=deadline)
    assert decision.hold is not None
    assert decision.hold.opens_at == utc("2026-07-02T07:00")
    assert decision.hold.until == utc(f"2026-07-02T07:0{minutes}")


def test_it_is_not_spread_into_the_next_window() -> None:
    breakfast = QuietHours((window("22:00", "07:00"), window("07:05", "09:00")))
    decision = ask(sleeper(quiet_hours=breakfast), policy=Policy(spread=1200), jitter=0.5)
    assert decision.hold is not None
    assert decision.hold.until == utc("2026-07-02T07:00")


def test_a_persons_turn_is_their_own() -> None:
    somebody = uuid4()
    assert jitter(somebody) == jitter(somebody) != jitter(uuid4())
    assert all(0 <= jitter(uuid4()) < 1 for _ in range(100))


@pytest.mark.parametrize(
    ("chosen", "policy", "expected"),
    [(None, False, False), (None, True, True), (False, True, False), (True, False, True)],
)
def test_who_wants_it_told_together(chosen: bool | None, policy: bool, expected: bool) -> None:
    decision = ask(sleeper(quiet_hours=replace(NIGHT, digest=chosen)), policy=Policy(digest=policy))
    assert decision.hold is not None
    assert decision.hold.digest is expected


sleepers = st.builds(
    sleeper,
    timezone=st.sampled_from(ZONES),
    quiet_hours=st.none() | st.builds(QuietHours, windows, st.sampled_from(["", *ZONES])),
    do_not_disturb_until=st.none() | moments,
    suppressed=st.dictionaries(st.just(("email", ANN)), st.just("bounced")),
)
categories = st.builds(
    CategoryRule,
    st.just("news"),
    st.booleans(),
    st.just("stop"),
    hours=st.none() | windows,
    skips_holidays=st.booleans(),
)
policies = st.builds(
    Policy, spread=st.integers(0, 900), holidays=st.frozensets(st.sampled_from(["03-29", "10-25"]))
)
circumstances = st.builds(
    Circumstances, moments, st.booleans(), st.none() | moments, st.floats(0, 1, exclude_max=True)
)


@settings(max_examples=200, deadline=None)
@given(sleepers, categories, policies, circumstances)
def test_what_is_held_leaves_when_nothing_holds_it(
    who: Person, category: CategoryRule, policy: Policy, asked: Circumstances
) -> None:
    (decision,) = decide(who, "email", category, policy=policy, asked=asked)
    assert decision.reason
    assert not (decision.allowed and who.suppressed)
    if category.is_critical or asked.is_urgent:
        assert decision.hold is None
    if decision.hold is None:
        return
    assert decision.allowed is (asked.deadline is None or decision.hold.opens_at < asked.deadline)
    assert asked.now < decision.hold.opens_at <= decision.hold.until
    assert decision.hold.until - decision.hold.opens_at <= dt.timedelta(seconds=policy.spread)
    for moment in (decision.hold.opens_at, decision.hold.until):
        assert _is_open(who, category, policy, moment)
        (then,) = decide(
            who, "email", category, policy=policy, asked=replace(asked, now=moment, deadline=None)
        )
        assert (then.allowed, then.hold) == (True, None)
    step = dt.timedelta(minutes=15)
    earlier = (asked.now + n * step for n in range(min(400, (decision.hold.opens_at - asked.now) // step)))
    assert not any(_is_open(who, category, policy, moment) for moment in earlier)


def _is_open(who: Person, category: CategoryRule, policy: Policy, at: dt.datetime) -> bool:
    """Whether neither the person nor the tenant minds, each asked alone."""
    quiet = who.quiet_hours
    if who.do_not_disturb_until is not None and at < who.do_not_disturb_until:
        return False
    if quiet and first_outside(quiet.windows, quiet.timezone or who.timezone, at) != at:
        return False
    holidays = policy.holidays if category.skips_holidays else frozenset()
    hours = (Window(0, 1440),) if category.hours is None else category.hours
    return first_inside(hours, who.timezone, at, holidays) == at
