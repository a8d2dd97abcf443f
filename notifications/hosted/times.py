"""When and how often a person's page lets them be told: quiet hours, a pause, and caps. Pure.

As with the switches, a form brings back what was shown, and only what differs from that is a change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from notifications.hosted.words import Text, channel_name, per_name
from preferences.rules.times import DAYS, zone_of

PERIODS = ("hour", "day", "week", "month")
_NIGHT: dict[str, Any] = {"enabled": False, "start": "22:00", "end": "07:00"}
"""What is offered to who has no quiet hours."""
_MORNING = dt.time(8)

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours, as the page can show them. `several` says them where there is more than one window."""

    is_on: bool
    start: str
    end: str
    days: tuple[str, ...]
    several: str = ""

    @classmethod
    def of(cls, stored: Stored | None) -> Quiet:
        said = {**_NIGHT, **(stored or {})}
        several = ", ".join(_window(one) for one in said.get("windows") or ())
        end = "00:00" if said["end"] == "24:00" else said["end"]  # the same, as a field for times has it
        return cls(said["enabled"], said["start"], end, tuple(said.get("days") or DAYS), several)

    @classmethod
    def sent(cls, form: QueryDict, shown: Quiet) -> Quiet:
        if shown.several:
            return cls("quiet" in form, shown.start, shown.end, shown.days, shown.several)
        days = tuple(day for day in DAYS if day in form.getlist("day"))
        return cls("quiet" in form, form.get("start", ""), form.get("end", ""), days)

    @property
    def as_shown(self) -> str:
        return f"{int(self.is_on)} {self.start} {self.end} {' '.join(self.days)}"

    @property
    def week(self) -> list[tuple[str, Text, bool]]:
        return [(day, WEEKDAYS_ABBR[number], day in self.days) for number, day in enumerate(DAYS)]

    @property
    def patch(self) -> dict[str, Any]:
        if self.several:
            return {"enabled": self.is_on}
        days = None if len(self.days) == len(DAYS) else list(self.days)
        return {"enabled": self.is_on, "start": self.start, "end": self.end, "days": days}

    def __str__(self) -> str:
        if not self.is_on:
            return _("Quiet hours: off")
        return _("Quiet hours: %(hours)s") % {"hours": self.several or f"{self.start} - {self.end}"}


def _window(window: Stored) -> str:
    days = " ".join(str(WEEKDAYS_ABBR[DAYS.index(day)]) for day in window.get("days") or ())
    return f"{days} {window['start']} - {window['end']}".strip()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max` messages a `per` by a channel; an empty `max` is none."""

    channel: str
    max: str = ""
    per: str = "day"

    @property
    def label(self) -> Text:
        return channel_name(self.channel)

    @property
    def as_shown(self) -> str:
        return f"{self.max} {self.per}" if self.max else ""

    @property
    def patch(self) -> dict[str, Any] | None:
        """What is no number is handed on, and refused."""
        if not self.max:
            return None
        return {"max": int(self.max) if self.max.isdecimal() else self.max, "per": self.per}

    def __str__(self) -> str:
        about = {"channel": self.label, "max": self.max, "per": per_name(self.per)}
        if not self.max:
            return _("%(channel)s: no limit") % about
        return _("%(channel)s: at most %(max)s %(per)s") % about


def limits_of(channels: Iterable[str], stored: Stored | None) -> list[Limit]:
    """For each channel that rings."""
    caps = stored or {}
    return [
        Limit(channel, str(caps[channel]["max"]), caps[channel]["per"]) if channel in caps else Limit(channel)
        for channel in channels
        if channel != "in_app"
    ]


def limits_sent(form: QueryDict, limits: Sequence[Limit]) -> list[Limit]:
    """Those that differ from what the form was shown with."""
    sent = [
        Limit(one.channel, form.get(f"max:{one.channel}", "").strip(), form.get(f"per:{one.channel}", "day"))
        for one in limits
        if f"cap:{one.channel}" in form
    ]
    return [one for one in sent if one.as_shown != form[f"cap:{one.channel}"]]


def pause_until(how_long: str, now: dt.datetime, timezone: str) -> dt.datetime | None:
    """When a pause ends: in an hour, tomorrow at eight by the person's clock, in a week; None: at once."""
    match how_long:
        case "hour":
            return now + dt.timedelta(hours=1)
        case "tomorrow":
            tomorrow = now.astimezone(zone_of(timezone)).date() + dt.timedelta(days=1)
            return dt.datetime.combine(tomorrow, _MORNING, zone_of(timezone)).astimezone(dt.UTC)
        case "week":
            return now + dt.timedelta(days=7)
        case _:
            return None


def written(moment: dt.datetime, timezone: str) -> str:
    """As the person's clock and language have it."""
    return date_format(moment.astimezone(zone_of(timezone)), "DATETIME_FORMAT")
