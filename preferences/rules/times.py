"""Windows of a week by local clocks, exact when clocks change.

A window lasts from the first instant at which local clocks show its start, or have jumped past it, until the
last at which they show its end, or jump past it. So a night in which clocks go forward is an hour shorter,
and one in which they go back an hour longer, as the person's own is. An end that comes twice is the second:
who sleeps until 02:30 does not want to be rung for at the first. PEP 495 calls the two `fold` 0 and 1.

All answers are UTC. They are kept for a while: of a chunk of recipients many ask the same.
"""

from __future__ import annotations

import datetime as dt
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
DAY = 24 * 60
"""Minutes."""

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)
_ROUND = 9
"""Days: a week that is closed throughout is so every week; clocks change by less than the rest."""
_FAR = 400
"""Days: who may be written to on one day of the year still may."""


class Window(NamedTuple):
    """From `start` to `end`, in minutes of the day, on the `days` on which it begins; 0 is Monday.

    An end that is not after the start is on the day after.
    """

    start: int
    end: int
    days: frozenset[int] = EVERY_DAY

    @property
    def closes(self) -> int:
        """The end in minutes of the day on which it begins."""
        return self.end if self.end > self.start else self.end + DAY


Windows = tuple[Window, ...]
Span = tuple[dt.datetime, dt.datetime]
"""From the first instant to the one after the last."""


@lru_cache(maxsize=4096)
def first_outside(windows: Windows, timezone: str, at: dt.datetime) -> dt.datetime | None:
    """The first instant, at `at` or later, that lies in no window; None if all the week is closed."""
    zone, now, last = zone_of(timezone), at, at + _ROUND * _DAY
    while now <= last:
        today = now.astimezone(zone).date()
        ends = now
        for start, end in (*_begun_on(today - _DAY, windows, zone), *_begun_on(today, windows, zone)):
            if start <= now < end:
                ends = max(ends, end)
        if ends == now:
            return now
        now = ends
    return None


@lru_cache(maxsize=4096)
def first_inside(
    windows: Windows, timezone: str, at: dt.datetime, holidays: frozenset[str] = frozenset()
) -> dt.datetime | None:
    """The first instant, at `at` or later, that lies in a window and on no holiday; None if none comes soon.

    Holidays are dates, `2027-03-26`, or days of each year, `12-25`.
    """
    zone = zone_of(timezone)
    day = at.astimezone(zone).date() - _DAY
    for _ in range(_FAR):
        found = None
        for start, end in _begun_on(day, windows, zone):
            moment = _on_workday(max(at, start), end, zone, holidays)
            if moment is not None and (found is None or moment < found):
                found = moment
        if found is not None:
            return found
        day += _DAY
    return None


@lru_cache(maxsize=4096)
def _begun_on(day: dt.date, windows: Windows, zone: ZoneInfo) -> tuple[Span, ...]:
    weekday = day.weekday()
    return tuple(
        (_instant(day, window.start, zone, fold=0), _instant(day, window.closes, zone, fold=1))
        for window in windows
        if weekday in window.days
    )


def _on_workday(
    now: dt.datetime, end: dt.datetime, zone: ZoneInfo, holidays: frozenset[str]
) -> dt.datetime | None:
    """The first instant from now until before the end that is on no holiday, if there is one."""
    while now < end:
        if not holidays:
            return now
        today = now.astimezone(zone).date()
        said = today.isoformat()
        if said not in holidays and said[5:] not in holidays:
            return now
        now = _instant(today + _DAY, 0, zone, fold=0)
    return None


def _instant(day: dt.date, minutes: int, zone: ZoneInfo, *, fold: int) -> dt.datetime:
    """When local clocks show so many minutes after the day's midnight; when they jump, if they never do."""
    days, minutes = divmod(minutes, DAY)
    time = dt.time(minutes // 60, minutes % 60, fold=fold)
    local = dt.datetime.combine(day + days * _DAY, time, zone)
    moment = local.astimezone(dt.UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    return _jump(local, zone)


def _jump(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The instant at which clocks go forward over a local time that they never show.

    Read by the offset after the jump it lies before it, and by the one before the jump after it.
    """
    before = local.replace(fold=1).astimezone(dt.UTC)
    after = local.replace(fold=0).astimezone(dt.UTC)
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


@cache
def zone_of(name: str) -> ZoneInfo:
    """UTC for a name that the tz database does not know (any more): better the wrong hour than never."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
