"""When a digest closes: the windows that a template or a request may name. Pure, with the clock passed in."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from tenants.parsing import RequestModel

LONGEST = dt.timedelta(days=31)
KEY_LENGTH = 100
HELD = "held"
"""The window that begins only where something else holds a notification: quiet hours, a frequency cap."""
FORMS = "10m, 1h, 2d (at most 31 days), daily 09:00, weekly mon 09:00 or held"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}
_LASTING = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_LOCAL = re.compile(rf"(?:daily|weekly ({'|'.join(_DAYS)})) ([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Lasting:
    """So long from the first event on."""

    length: dt.timedelta

    def closes_at(self, first: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        return first + self.length


@dataclass(frozen=True, slots=True)
class Local:
    """At a time of the recipient's day, each day or, with a weekday (0 is Monday), each week."""

    time: dt.time
    weekday: int | None = None

    def closes_at(self, first: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """The next such moment after the first event.

        A time that a clock change leaves out is read by the offset before it, so 02:30 is 03:30 that day; of
        one that comes twice it is the first. So says RFC 5545, section 3.3.5, and so does `fold=0`.
        """
        today = first.astimezone(zone).date()
        days = (today + dt.timedelta(days=ahead) for ahead in range(8))
        moments = (
            dt.datetime.combine(day, self.time, zone).astimezone(dt.UTC)
            for day in days
            if self.weekday in {None, day.weekday()}
        )
        return next(moment for moment in moments if moment > first)


@lru_cache(maxsize=1024)
def read(window: str) -> Lasting | Local:
    """Raises ValueError for what is no window."""
    if (found := _LASTING.fullmatch(window)) and (length := int(found[1]) * _UNITS[found[2]]) <= LONGEST:
        return Lasting(length)
    if found := _LOCAL.fullmatch(window):
        weekday = _DAYS.index(found[1]) if found[1] else None
        return Local(dt.time(int(found[2]), int(found[3])), weekday)
    raise ValueError(f"A window is {FORMS}.")


def closes_at(window: str, first: dt.datetime, timezone: str) -> dt.datetime:
    """When a digest closes whose first event is at `first`, for somebody in this IANA time zone."""
    return read(window).closes_at(first, _zone(timezone))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    """UTC for a name that the tz database does not know: a digest at the wrong hour beats none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _known(window: str) -> str:
    if window == HELD:
        return window
    try:
        read(window)
    except ValueError:
        raise PydanticCustomError("unknown_window", "A window is {forms}.", {"forms": FORMS}) from None
    return window


Window = Annotated[str, StringConstraints(max_length=32), AfterValidator(_known)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=KEY_LENGTH)]


class DigestWish(RequestModel):
    """Tell this together with what else comes for the recipient under `key`, when the window closes.

    Without a key it is the template's code. A window is counted from the first event (`10m`, `1h`), or ends
    at a time of the recipient's day (`daily 09:00`, `weekly mon 09:00`). With `held` it is told at once,
    unless quiet hours or a frequency cap hold it.
    """

    window: Window
    key: Key | None = None


def complaints(wish: object) -> list[str]:
    """What is wrong with such a wish, in words for whoever typed it."""
    try:
        DigestWish.model_validate(wish)
    except ValidationError as error:
        return [
            "".join(f"/{part}" for part in item["loc"]) + f": {item['msg'].rstrip('.')}."
            for item in error.errors(include_url=False, include_input=False)
        ]
    return []
