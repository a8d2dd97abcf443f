"""When a digest closes: a table, no database."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from templates_app.digest_windows import DigestWish, closes_at


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "first", "zone", "closes"),
    [
        ("10m", "2026-05-01T08:00:00Z", "Europe/Berlin", "2026-05-01T08:10:00Z"),
        ("1h", "2026-05-01T08:00:00Z", "UTC", "2026-05-01T09:00:00Z"),
        (
            "2d",
            "2026-03-28T12:00:00Z",
            "Europe/Berlin",
            "2026-03-30T12:00:00Z",
        ),  # 48 hours, whatever clocks do
        ("daily 09:00", "2026-05-01T06:59:59Z", "Europe/Berlin", "2026-05-01T07:00:00Z"),
        ("daily 09:00", "2026-05-01T07:00:00Z", "Europe/Berlin", "2026-05-02T07:00:00Z"),  # after, never at
        ("daily 09:00", "2026-05-01T23:30:00Z", "Asia/Kolkata", "2026-05-02T03:30:00Z"),
        ("daily 00:00", "2026-05-01T10:00:00Z", "Pacific/Kiritimati", "2026-05-02T10:00:00Z"),
        ("weekly mon 09:00", "2026-05-01T10:00:00Z", "America/New_York", "2026-05-04T13:00:00Z"),
        ("weekly fri 09:00", "2026-05-01T12:59:00Z", "America/New_York", "2026-05-01T13:00:00Z"),
        ("weekly fri 09:00", "2026-05-01T13:00:00Z", "America/New_York", "2026-05-08T13:00:00Z"),
        # The local hour stays though the offset changes (29 March and 25 October 2026 in Berlin).
        ("daily 09:00", "2026-03-28T09:00:00Z", "Europe/Berlin", "2026-03-29T07:00:00Z"),
        ("weekly sun 09:00", "2026-10-20T09:00:00Z", "Europe/Berlin", "2026-10-25T08:00:00Z"),
        # 02:30 does not exist on 29 March: it is read as 03:30 summer time. Next day it is there again.
        ("daily 02:30", "2026-03-29T00:00:00Z", "Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("daily 02:30", "2026-03-29T01:30:00Z", "Europe/Berlin", "2026-03-30T00:30:00Z"),
        # 02:30 comes twice on 25 October: the first counts, and only that.
        ("daily 02:30", "2026-10-25T00:00:00Z", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("daily 02:30", "2026-10-25T00:30:00Z", "Europe/Berlin", "2026-10-26T01:30:00Z"),
        # Half an hour of daylight saving, and a Friday that Samoa never had.
        ("daily 01:45", "2026-10-03T14:00:00Z", "Australia/Lord_Howe", "2026-10-03T15:15:00Z"),
        ("weekly fri 09:00", "2011-12-29T12:00:00Z", "Pacific/Apia", "2011-12-30T19:00:00Z"),
        ("daily 09:00", "2026-05-01T08:00:00Z", "Mars/Olympus", "2026-05-01T09:00:00Z"),
    ],
)
def test_it_closes(window: str, first: str, zone: str, closes: str) -> None:
    assert closes_at(window, at(first), zone) == at(closes)


_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo")


@given(
    seconds=st.integers(1_577_836_800, 2_114_380_800),  # 2020 to 2037
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    weekly=st.booleans(),
    zone=st.sampled_from(_ZONES),
)
def test_it_closes_within_a_period_and_never_before(
    seconds: int, hour: int, minute: int, weekly: bool, zone: str
) -> None:
    first = dt.datetime.fromtimestamp(seconds, dt.UTC)
    window = f"{'weekly wed' if weekly else 'daily'} {hour:02}:{minute:02}"
    closes = closes_at(window, first, zone)
    an_hour = dt.timedelta(hours=1)
    assert first < closes <= first + dt.timedelta(days=7 if weekly else 1) + an_hour
    # Closing again from where it closed is a period later: no occurrence is told twice.
    assert closes_at(window, closes, zone) - closes >= dt.timedelta(days=7 if weekly else 1) - an_hour


@pytest.mark.parametrize("window", ["1m", "90m", "24h", "31d", "daily 00:00", "weekly sun 23:59"])
def test_it_takes(window: str) -> None:
    assert DigestWish(window=window).window == window


@pytest.mark.parametrize(
    "window",
    [
        *("", "10", "10s", "0m", "-1h", "1.5h", "32d", "769h", "10 m", "10m ", "010m", "٣m"),
        *(
            "daily",
            "daily 9:00",
            "daily 24:00",
            "daily 09:60",
            "Daily 09:00",
            "daily 09:00 UTC",
            "daily  09:00",
        ),
        *("weekly 09:00", "weekly monday 09:00", "monthly 1 09:00", "0 9 * * *", "daily 09:00\n"),
    ],
)
def test_it_refuses(window: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DigestWish(window=window)
    assert refused.value.errors()[0]["type"] == "unknown_window"


@pytest.mark.parametrize("key", ["", "k" * 101])
def test_it_refuses_keys(key: str) -> None:
    with pytest.raises(ValidationError):
        DigestWish(window="10m", key=key)
