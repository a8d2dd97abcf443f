"""Windows of a week by local clocks, exact when clocks change.

A window lasts from the first instant at which local clocks show its start, or have jumped past it, until the
last at which they show its end, or jump past it. So a night in which clocks go forward is an hour shorter,
and one in which they go back an hour longer, as the person's own is. An end that comes twice is the second:
who sleeps until 02:30 does not want to be rung for at the first. PEP 495 calls the two `fold` 0 and 1.

All answers are UTC. They are kept for a while: of a chunk of recipients many ask the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
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
        open_spans = (_begun_on(day, windows, zone) for day in (today - _DAY, today))
        ends = [end for spans in open_spans for start, end in spans if start <= now < end]
        if not ends:
            return now
        now = max(ends)
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
        spans = ((max(at, start), end) for start, end in _begun_on(day, windows, zone))
        found = [moment for span in spans for moment in _on_workday(span, zone, holidays)]
        if found:
            return min(found)
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


def _on_workday(span: Span, zone: ZoneInfo, holidays: frozenset[str]) -> Iterator[dt.datetime]:
    """The first instant of the span that is on no holiday, if there is one."""
    now, end = span
    while now < end:
        today = now.astimezone(zone).date()
        if not holidays or not {(said := today.isoformat()), said[5:]} & holidays:
            yield now
            return
        now = _instant(today + _DAY, 0, zone, fold=0)


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
