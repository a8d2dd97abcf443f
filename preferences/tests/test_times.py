"""Windows by local clocks, on days of 23, 24, 25 and no hours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preferences.rules.times import DAY, Window, Windows, first_inside, first_outside

MINUTE = dt.timedelta(minutes=1)
STEP = 15 * MINUTE
"""All clocks of our days change by a multiple of it, and the windows below begin and end on one."""


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+00:00")


def window(start: str, end: str, *days: int) -> Window:
    begin, over = (int(time[:2]) * 60 + int(time[3:]) for time in (start, end))
    return Window(begin, over, frozenset(days or range(7)))


NIGHT = window("22:00", "07:00")

# A window, a zone, an instant in it or not, and the first one at which it is over.
OUTSIDE = [
    (NIGHT, "UTC", "2026-07-01T12:00", "2026-07-01T12:00"),
    (NIGHT, "UTC", "2026-07-01T22:00", "2026-07-02T07:00"),
    (NIGHT, "UTC", "2026-07-01T21:59:59", "2026-07-01T21:59:59"),
    (NIGHT, "UTC", "2026-07-02T06:59:59", "2026-07-02T07:00"),
    (NIGHT, "UTC", "2026-07-02T07:00", "2026-07-02T07:00"),
    (NIGHT, "Asia/Kolkata", "2026-07-01T16:30", "2026-07-02T01:30"),
    (window("09:00", "09:00", 6), "UTC", "2026-07-05T12:00", "2026-07-06T09:00"),  # Sunday for a day
    (window("00:00", "24:00", 6), "UTC", "2026-07-05T12:00", "2026-07-06T00:00"),
    (window("22:00", "07:00", 4), "UTC", "2026-07-04T06:00", "2026-07-04T07:00"),  # Friday's, on Saturday
    (window("22:00", "07:00", 4), "UTC", "2026-07-05T06:00", "2026-07-05T06:00"),
    # Berlin goes forward at 01:00Z, from 02:00 to 03:00: the night lasts eight hours.
    (NIGHT, "Europe/Berlin", "2026-03-28T21:00", "2026-03-29T05:00"),
    (window("02:30", "06:00"), "Europe/Berlin", "2026-03-29T00:59:59", "2026-03-29T00:59:59"),
    (window("02:30", "06:00"), "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T04:00"),
    (window("00:00", "02:30"), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
    (window("02:15", "02:45"), "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:00"),
    # It goes back at 01:00Z, from 03:00 to 02:00: the night lasts ten.
    (NIGHT, "Europe/Berlin", "2026-10-24T20:00", "2026-10-25T06:00"),
    (window("22:00", "02:30"), "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:30"),
    (window("22:00", "02:30"), "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:30"),
    (window("02:30", "06:00"), "Europe/Berlin", "2026-10-25T00:29:59", "2026-10-25T00:29:59"),
    (window("02:30", "06:00"), "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T05:00"),
    # New York; half an hour on Lord Howe; midnight that is not there; a day that was not.
    (NIGHT, "America/New_York", "2026-03-08T03:00", "2026-03-08T11:00"),
    (NIGHT, "America/New_York", "2026-11-01T02:00", "2026-11-01T12:00"),
    (window("01:45", "06:00"), "Australia/Lord_Howe", "2026-04-04T14:45", "2026-04-04T19:30"),
    (window("00:00", "06:00"), "Africa/Cairo", "2026-04-23T22:00", "2026-04-24T03:00"),
    (window("20:00", "00:00"), "Africa/Cairo", "2026-04-23T20:00", "2026-04-23T22:00"),
    (window("08:00", "20:00"), "Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00"),
    (NIGHT, "Pacific/Apia", "2011-12-30T09:00", "2011-12-30T17:00"),
    (NIGHT, "Mars/Olympus", "2026-07-01T23:00", "2026-07-02T07:00"),  # forgotten since: by UTC
]


@pytest.mark.parametrize(("one", "zone", "at", "expected"), OUTSIDE)
def test_it_is_over_when_local_clocks_say_so(one: Window, zone: str, at: str, expected: str) -> None:
    assert first_outside((one,), zone, utc(at)) == utc(expected)


def test_windows_may_follow_each_other() -> None:
    lunch, afternoon = window("12:00", "13:00"), window("13:00", "15:30")
    assert first_outside((afternoon, lunch), "UTC", utc("2026-07-01T12:10")) == utc("2026-07-01T15:30")


def test_a_week_may_be_closed_throughout() -> None:
    assert first_outside((window("00:00", "24:00"),), "UTC", utc("2026-07-01T12:10")) is None
    assert first_outside((NIGHT, window("06:00", "23:00")), "Europe/Berlin", utc("2026-10-24T12:00")) is None


WORKDAYS = window("09:00", "20:00", 0, 1, 2, 3, 4)

INSIDE = [
    (WORKDAYS, "UTC", "2026-07-01T12:00", [], "2026-07-01T12:00"),
    (WORKDAYS, "UTC", "2026-07-01T20:00", [], "2026-07-02T09:00"),
    (WORKDAYS, "UTC", "2026-07-03T20:00", [], "2026-07-06T09:00"),  # over the weekend
    (WORKDAYS, "Asia/Tokyo", "2026-07-05T23:30", [], "2026-07-06T00:00"),
    (WORKDAYS, "UTC", "2026-12-24T21:00", ["12-25"], "2026-12-28T09:00"),
    (WORKDAYS, "UTC", "2026-12-25T12:00", ["2026-12-25", "2026-12-28"], "2026-12-29T09:00"),
    (WORKDAYS, "UTC", "2026-12-25T12:00", ["2025-12-25"], "2026-12-25T12:00"),
    (window("22:00", "03:00"), "UTC", "2026-12-24T23:00", ["12-25"], "2026-12-24T23:00"),
    (window("22:00", "03:00"), "UTC", "2026-12-25T01:00", ["12-25"], "2026-12-26T00:00"),  # past midnight
    (WORKDAYS, "Europe/Berlin", "2026-03-27T20:00", [], "2026-03-30T07:00"),
    (WORKDAYS, "Europe/Berlin", "2026-10-23T20:00", [], "2026-10-26T08:00"),
    (window("09:00", "10:00", 6), "UTC", "2026-07-05T11:00", [], "2026-07-12T09:00"),
]


@pytest.mark.parametrize(("one", "zone", "at", "holidays", "expected"), INSIDE)
def test_it_opens_when_local_clocks_say_so(
    one: Window, zone: str, at: str, holidays: Collection[str], expected: str
) -> None:
    assert first_inside((one,), zone, utc(at), frozenset(holidays)) == utc(expected)


def test_it_may_never_open() -> None:
    every_day = frozenset(f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32))
    assert first_inside((WORKDAYS,), "UTC", utc("2026-07-01T12:00"), every_day) is None
    assert first_inside((), "UTC", utc("2026-07-01T12:00")) is None


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "UTC"]
CHANGES = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-04-24"]
quarters = st.integers(0, 95).map(lambda quarter: quarter * 15)
windows = st.lists(
    st.builds(Window, quarters, quarters, st.frozensets(st.integers(0, 6), min_size=1)), max_size=3
).map(tuple)
moments = st.builds(
    lambda day, quarter: utc(f"{day}T00:00") + (quarter - 120) * STEP,
    st.sampled_from(CHANGES),
    st.integers(0, 240),
)


def begun(some: Windows, at: dt.datetime, zone: ZoneInfo) -> set[tuple[int, dt.date]]:
    """The windows that the clock on the wall is in, each by the day on which it began."""
    local = at.astimezone(zone)
    now = local.hour * 60 + local.minute
    found = set()
    for place, one in enumerate(some):
        for ago in (0, 1):
            day = local.date() - dt.timedelta(days=ago)
            if day.weekday() in one.days and one.start <= now + ago * DAY < one.closes:
                found.add((place, day))
    return found


def is_closed(some: Windows, at: dt.datetime, zone: ZoneInfo) -> bool:
    """In a window by the wall's clock, or between two moments that are in the same one."""
    near = [at + n * STEP for n in range(-8, 9)]
    before = set().union(*(begun(some, moment, zone) for moment in near if moment <= at))
    after = set().union(*(begun(some, moment, zone) for moment in near if moment >= at))
    return bool(before & after)


@settings(max_examples=50, deadline=None)
@given(windows, st.sampled_from(ZONES), moments)
def test_it_is_the_first_moment_outside(some: Windows, name: str, at: dt.datetime) -> None:
    zone, found = ZoneInfo(name), first_outside(some, name, at)
    steps = [at + n * STEP for n in range(4 * 24 * 9)]
    walked = next((moment for moment in steps if not is_closed(some, moment, zone)), None)
    assert found == walked


@settings(max_examples=50, deadline=None)
@given(windows, st.sampled_from(ZONES), moments, st.frozensets(st.sampled_from(CHANGES)))
def test_it_is_the_first_moment_inside(
    some: Windows, name: str, at: dt.datetime, holidays: frozenset[str]
) -> None:
    zone, found = ZoneInfo(name), first_inside(some, name, at, holidays)
    if found is None:
        assert not some
        return
    assert is_closed(some, found, zone)
    assert found.astimezone(zone).date().isoformat() not in holidays
    earlier = [at + n * STEP for n in range((found - at) // STEP)]
    assert not any(
        is_closed(some, moment, zone) and moment.astimezone(zone).date().isoformat() not in holidays
        for moment in earlier
    )
