"""Quiet hours, sending hours, and which channels a category uses, as fields of forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from preferences.channels import CHANNELS
from preferences.hours import Hours, QuietHoursBody, SendingHours
from preferences.rules.times import DAYS
from tenants.admin.tables import Chips, Column, Rows, TableField, checked, text, tick

_TIME = "a time is written as 07:30, up to 24:00."
_DAY_NAMES = [(day, day.capitalize()) for day in DAYS]


class HoursField(TableField):
    """Windows of a week, one a row; None without any. Where no day is ticked it is every day."""

    columns = {
        "start": Column("From", text("22:00", inputmode="numeric", size="5")),
        "end": Column("Until", text("07:00", inputmode="numeric", size="5")),
        "days": Column("On these days, or every day", Chips(choices=_DAY_NAMES)),
    }
    hours: type[Hours] = SendingHours

    def rows(self, document: Any) -> Rows:
        said: Mapping[str, Any] = document or {}
        return Rows(dict(one) for one in said.get("windows") or ([said] if said.get("start") else []))

    def document(self, rows: Rows) -> dict[str, Any] | None:
        windows = [window for row in rows if (window := _window(row))]
        return checked(self.hours, _hours(windows), shape=_TIME) if windows else None


def _window(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("start", "end", "days") if row.get(name)}


def _hours(windows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """In the shorter of the two shapes."""
    return windows[0] if len(windows) == 1 else {"windows": list(windows)}


class _QuietWindows(HoursField):
    """Nothing is checked here: that is done with the zone."""

    def document(self, rows: Rows) -> dict[str, Any] | None:
        windows = [window for row in rows if (window := _window(row))]
        return _hours(windows) if windows else None


_TOGETHER = [("", "as the tenant decides"), ("yes", "yes, as one message"), ("no", "no, each by itself")]


class QuietHoursWidget(forms.MultiWidget):
    template_name = "preferences/admin/quiet_hours.html"
    use_fieldset = True

    def __init__(self, windows: _QuietWindows) -> None:
        zone = UnfoldAdminTextInputWidget({"placeholder": "their own", "aria-label": "Time zone"})
        together = UnfoldAdminSelectWidget({"aria-label": "Told together"}, choices=_TOGETHER)
        switch = UnfoldBooleanSwitchWidget({"aria-label": "Switched on"})
        parts = {"on": switch, "windows": windows.widget, "timezone": zone, "digest": together}
        super().__init__(parts)
        self.windows = windows

    def decompress(self, value: Any) -> list[Any]:
        said = value or {"enabled": True}
        together = {None: "", True: "yes", False: "no"}[said.get("digest")]
        return [said.get("enabled", True), self.windows.rows(value), said.get("timezone") or "", together]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}_") for key in data)


class QuietHoursField(forms.MultiValueField):
    def __init__(self, **options: Any) -> None:
        windows = _QuietWindows()
        zone = forms.CharField(required=False)
        together = forms.ChoiceField(choices=_TOGETHER, required=False)
        parts = (forms.BooleanField(required=False), windows, zone, together)
        super().__init__(
            parts, widget=QuietHoursWidget(windows), required=False, require_all_fields=False, **options
        )

    def compress(self, data_list: Sequence[Any]) -> dict[str, Any] | None:
        """None without a window, whatever else was chosen."""
        on, hours, zone, digest = data_list or (False, None, "", "")
        if hours is None:
            return None
        chosen = {"timezone": zone or None, "digest": {"yes": True, "no": False}.get(digest)}
        return checked(QuietHoursBody, {"enabled": bool(on), **hours, **chosen}, shape=_TIME)


class ReachField(TableField):
    """A category's `channels` and `defaults`: what it may use, and what is on where nobody says anything."""

    columns = {"may": Column("May be used", tick()), "on": Column("On unless the recipient says no", tick())}
    heads = {name: name for name in CHANNELS}

    def rows(self, document: Any) -> Rows:
        reach: tuple[Sequence[str], Mapping[str, bool]] = document or ((), {})
        channels, defaults = reach
        return Rows(
            {"may": not channels or name in channels, "on": defaults.get(name, True)} for name in CHANNELS
        )

    def document(self, rows: Rows) -> tuple[list[str], dict[str, bool]]:
        """Which channels, empty where it is all of them; those that are off until somebody wants them."""
        typed = dict(zip(CHANNELS, rows, strict=True))
        used = [name for name, row in typed.items() if row["may"]]
        if not used:
            raise ValidationError("It has to have a channel. To send nothing of it, block it.")
        off = {name: False for name, row in typed.items() if not row["on"]}
        return ([] if len(used) == len(CHANNELS) else used), off
