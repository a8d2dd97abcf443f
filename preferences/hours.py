"""Quiet hours and sending hours as people write them, and as decisions read them.

Stored is what was validated here, so reading trusts it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from preferences.addresses import known_timezone
from preferences.rules import QuietHours, Window
from preferences.rules.times import DAY, DAYS, Windows, first_outside
from tenants.parsing import RequestModel

MOST_WINDOWS = 21
_WHOLE_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAMES: dict[str | int, str] = {
    alias: name
    for number, name, whole in zip(range(1, 8), DAYS, _WHOLE_NAMES, strict=True)
    for alias in (number, name, whole)
}
"""How a day may be written: ISO 8601 numbers them from Monday, 1."""
_SOME_MONDAY = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


def _day(value: Any) -> str:
    said = value.lower() if isinstance(value, str) else value
    if isinstance(said, bool) or not isinstance(said, str | int) or said not in _NAMES:
        raise PydanticCustomError("unknown_day", "Days are mon, tue, wed, thu, fri, sat and sun.")
    return _NAMES[said]


def _in_order(days: list[str]) -> list[str]:
    return sorted(set(days), key=DAYS.index)


Time = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Day = Annotated[str, BeforeValidator(_day, json_schema_input_type=str)]
Days = Annotated[list[Day], Field(min_length=1), AfterValidator(_in_order)]


class WindowBody(RequestModel):
    """From `start` to `end` by local clocks, HH:MM, on the days on which it begins.

    An end that is not after the start is on the day after. Without days it is every day.
    """

    start: Time
    end: Time
    days: Days | None = None


class Hours(RequestModel):
    """One window, `start`, `end` and `days`, or several, `windows`."""

    start: Time | None = None
    end: Time | None = None
    days: Days | None = None
    windows: Annotated[list[WindowBody], Field(max_length=MOST_WINDOWS)] | None = None

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> Self:
        if (self.start is None) is not (self.end is None):
            raise PydanticCustomError("half_a_window", "Give both start and end.")
        if self.windows and self.start is not None:
            raise PydanticCustomError("two_shapes", "Give start and end, or windows, not both.")
        return self

    @property
    def says_when(self) -> bool:
        return bool(self.windows) or self.start is not None


class QuietHoursBody(Hours):
    """When nothing should ring. `timezone` is the recipient's own where it is left out.

    `digest`: whether what was held is told together; the tenant decides where it is left out.
    """

    enabled: StrictBool = True
    timezone: Annotated[str, AfterValidator(known_timezone)] | None = None
    digest: StrictBool | None = None

    @model_validator(mode="after")
    def _leaves_some_time(self) -> Self:
        if self.enabled and not self.says_when:
            raise PydanticCustomError("no_window", "Quiet hours need start and end, or windows.")
        if first_outside(windows_of(self.model_dump()), "UTC", _SOME_MONDAY) is None:
            raise PydanticCustomError("always_quiet", "This leaves no time at all: use the switches instead.")
        return self


class SendingHours(Hours):
    """When a category may be sent."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.says_when:
            raise PydanticCustomError("no_window", "Sending hours need start and end, or windows.")
        return self


def windows_of(document: Mapping[str, Any]) -> Windows:
    """The windows of hours that were validated, in either shape."""
    several: Sequence[Mapping[str, Any]] = document.get("windows") or []
    if not several and document.get("start") is not None:
        several = [document]
    return tuple(
        Window(_minutes(one["start"]) % DAY, _minutes(one["end"]), _weekdays(one.get("days")))
        for one in several
    )


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _weekdays(days: Sequence[str] | None) -> frozenset[int]:
    return frozenset(range(7)) if days is None else frozenset(DAYS.index(day) for day in days)


@lru_cache(maxsize=4096)
def quiet_hours_of(document: str) -> QuietHours | None:
    """Stored quiet hours, None where they are switched off. Many people keep the same."""
    said = orjson.loads(document)
    windows = windows_of(said)
    if not said.get("enabled") or not windows:
        return None
    return QuietHours(windows, said.get("timezone") or "", said.get("digest"))
