"""Frequency caps as tables: no database, the clock passed in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.caps import NEVER, Cap, Capped, Places, capped, judge, read

NOW = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
HOUR, DAY, WEEK = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=7)
SECOND = dt.timedelta(seconds=1)


def ago(*hours: float) -> list[dt.datetime]:
    return sorted(NOW - hour * HOUR for hour in hours)


@pytest.mark.parametrize(
    ("most", "length", "given_at", "free"),
    [
        (1, DAY, [], NOW),
        (2, DAY, ago(23), NOW),
        (1, DAY, ago(23), NOW + HOUR),
        (1, DAY, ago(24), NOW),  # a place is free the moment that it is a day old, and not before
        (1, DAY, [NOW - DAY + SECOND], NOW + SECOND),
        (3, DAY, ago(30, 20, 10, 1), NOW + 4 * HOUR),  # it slides: the oldest of the last three makes room
        (2, HOUR, ago(0.5, 0.25), NOW + 0.5 * HOUR),
        (1, WEEK, ago(1), NOW + WEEK - HOUR),
        (0, DAY, [], NEVER),
        (2, DAY, [*ago(1), NOW + 23 * HOUR], NOW + 23 * HOUR),  # who waits already has that place
        (1, DAY, [NOW + 23 * HOUR], NOW + 47 * HOUR),
    ],
)
def test_a_cap_has_room(
    most: int, length: dt.timedelta, given_at: list[dt.datetime], free: dt.datetime
) -> None:
    assert Cap("sms", most, length).free_at(given_at, NOW) == free


@given(
    gaps=st.lists(st.integers(0, 3000), min_size=1, max_size=60),
    most=st.integers(1, 5),
    minutes=st.sampled_from([1, 60, 1440]),
)
def test_no_stretch_ever_holds_more(gaps: list[int], most: int, minutes: int) -> None:
    cap = Cap("sms", most, dt.timedelta(minutes=minutes), "defer")
    places, at = Places(), NOW
    for gap in gaps:
        at += dt.timedelta(seconds=gap)
        places.take("sms", cap.free_at(places.of("sms"), at))
    taken = places.of("sms")
    assert all(later - earlier >= cap.length for earlier, later in zip(taken, taken[most:], strict=False))


@pytest.mark.parametrize(
    ("caps", "reason", "then"),
    [
        ([], "", None),
        ([Cap("sms", 5, DAY)], "", None),
        ([Cap("sms", 1, DAY, "defer"), Cap("all", 1, DAY, "drop")], "frequency_cap:all", "drop"),
        ([Cap("sms", 9, DAY, "drop"), Cap("sms", 1, DAY, "digest")], "frequency_cap:sms", "digest"),
    ],
)
def test_the_smallest_and_strictest_says(caps: list[Cap], reason: str, then: str | None) -> None:
    places = Places({"sms": ago(1), "all": ago(1)})
    verdict = judge(caps, places, NOW)
    assert (verdict.reason, verdict.then) == (reason, then)


SMS, PUSH, BOTH, CHAIN = [["sms"]], [["push"], ["push"]], [["sms"], ["email"]], [["sms", "email"]]
FULL = {"sms": ago(1)}
LATER = NOW + 23 * HOUR


def cap(chains: Any, caps: list[Cap], places: Places, **how: Any) -> Capped:
    names = {name for chain in chains for name in chain}
    return capped(chains, caps, places, **{"starts": dict.fromkeys(names, NOW), **how})


@pytest.mark.parametrize(
    ("chains", "caps", "given_at", "legs", "took"),
    [
        (SMS, [Cap("sms", 1, DAY), Cap("all", 9, DAY)], {}, {"sms": NOW}, {"sms": 1, "all": 1}),
        (SMS, [Cap("sms", 1, DAY), Cap("all", 9, DAY)], FULL, {}, {"sms": 1}),
        (SMS, [Cap("sms", 1, DAY, "defer")], FULL, {"sms": LATER}, {"sms": 2}),
        (SMS, [Cap("sms", 1, DAY, "digest")], FULL, "frequency_cap:sms", {"sms": 1}),
        (SMS, [Cap("category:sms", 1, DAY)], FULL, {"sms": NOW}, {"sms": 1, "category:sms": 1}),
        (SMS, [Cap("category:sms", 1, DAY)], {"category:sms": ago(1)}, {}, {"category:sms": 1}),
        # Of two legs one goes; the other is dropped, or waits.
        (BOTH, [Cap("sms", 1, DAY)], FULL, {"email": NOW}, {"sms": 1}),
        (BOTH, [Cap("sms", 1, DAY, "defer")], FULL, {"sms": LATER, "email": NOW}, {"sms": 2}),
        (BOTH, [Cap("sms", 1, DAY, "digest")], FULL, {"email": NOW}, {"sms": 1}),
        # A chain goes by the first that has room, else waits for the one that has it first.
        (CHAIN, [Cap("sms", 1, DAY)], FULL, {"email": NOW}, {"sms": 1}),
        (
            CHAIN,
            [Cap("sms", 1, DAY, "defer"), Cap("email", 1, HOUR, "defer")],
            FULL | {"email": ago(0.5)},
            {"email": NOW + 0.5 * HOUR},
            {"sms": 1, "email": 2},
        ),
        # Two devices are one push; the whole notification is one of all.
        (PUSH, [Cap("push", 1, DAY), Cap("all", 1, DAY)], {}, {"push": NOW}, {"push": 1, "all": 1}),
        (BOTH, [Cap("all", 1, DAY)], {"all": ago(1)}, {}, {"all": 1}),
        (BOTH, [Cap("all", 1, DAY, "digest")], {"all": ago(1)}, "frequency_cap:all", {"all": 1}),
        (
            BOTH,
            [Cap("category", 1, DAY, "defer"), Cap("sms", 2, HOUR)],
            {"category": ago(1), "sms": ago(0.5)},
            {"sms": LATER, "email": LATER},
            {"category": 2, "sms": 2},
        ),
    ],
)
def test_it_caps(chains: Any, caps: list[Cap], given_at: Any, legs: Any, took: dict[str, int]) -> None:
    places = Places({scope: list(times) for scope, times in given_at.items()})
    found = cap(chains, caps, places)
    going = {name: found.channels[name].at for name in found.legs if name}
    assert (found.together.reason if found.together else going) == legs
    assert {scope: len(times) for scope, times in places.given.items() if times} == took


def test_what_waits_goes_when_nothing_else_speaks_against_it() -> None:
    """Room comes at night, so it waits for the morning; and takes its place there."""

    def opens(channel: str, at: dt.datetime) -> dt.datetime:
        return at.replace(hour=7) if at.hour < 7 else at

    caps = [Cap("sms", 1, DAY, "defer")]
    for hours, goes_at in ((4, (NOW + DAY).replace(hour=7)), (20, NOW + 4 * HOUR)):
        places = Places({"sms": ago(hours)})
        assert cap(SMS, caps, places, opens=opens).channels["sms"].at == goes_at
        assert places.of("sms")[-1] == goes_at


def test_what_starts_later_is_judged_then() -> None:
    places = Places({"sms": ago(23)})
    found = cap(SMS, [Cap("sms", 1, DAY)], places, starts={"sms": NOW + 2 * HOUR})
    assert (found.legs, places.of("sms")[-1]) == (["sms"], NOW + 2 * HOUR)


def test_it_waits_for_nothing_past_its_deadline() -> None:
    places = Places({"sms": ago(1)})
    found = cap(SMS, [Cap("sms", 1, DAY, "defer")], places, deadline=LATER)
    assert (found.legs, len(places.of("sms"))) == ([None], 1)


def test_what_is_spared_goes_and_counts() -> None:
    places = Places({"sms": ago(1), "all": ago(1)})
    found = cap(SMS, [Cap("sms", 1, DAY), Cap("all", 0, DAY)], places, is_spared=True)
    assert found.legs == ["sms"]
    assert [len(places.of(scope)) for scope in ("sms", "all")] == [2, 2]


def test_it_reads_what_people_write() -> None:
    said = {"sms": {"max": 5, "per": "day"}, "all": {"max": 9, "per": "week", "then": "defer"}}
    assert read(said, "digest") == [Cap("sms", 5, DAY, "digest"), Cap("all", 9, WEEK, "defer")]
    scopes = [cap.scope for cap in read(said, "drop", of_category=True)]
    assert scopes == ["category:sms", "category"]
    none = {"sms": {"max": 0, "per": "month", "then": "defer"}}
    assert read(none, "defer") == [Cap("sms", 0, dt.timedelta(days=30), "drop")]
