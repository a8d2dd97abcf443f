"""Frequency caps, blocked channels and holidays as fields of forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from tenants import holidays
from tenants.admin.tables import Column, Rows, TableField, checked, choice, number, text
from tenants.channels import CHANNELS
from tenants.frequency import EVERYTHING, Cap, FrequencyCap

_SCOPES = {EVERYTHING: "all channels", **{name: name for name in CHANNELS}}
_LENGTHS = [("hour", "an hour"), ("day", "a day"), ("week", "a week"), ("month", "30 days")]
_THEN = [
    ("", "the tenant's choice"),
    ("drop", "not sent"),
    ("defer", "sent once there is room"),
    ("digest", "told with others once there is room"),
]


class OwnCapsField(TableField):
    """Those that a recipient has set: what becomes of one too many is the tenant's choice."""

    columns = {"max": Column("At most", number("no cap")), "per": Column("in", choice(_LENGTHS))}
    heads = _SCOPES
    cap: type[Cap] = Cap

    def rows(self, document: Any) -> Rows:
        return Rows((document or {}).get(scope, {"per": "day"}) for scope in _SCOPES)

    def document(self, rows: Rows) -> dict[str, Any]:
        typed = zip(_SCOPES, rows, strict=True)
        return {scope: self._cap(scope, row) for scope, row in typed if _most(row)}

    def _cap(self, scope: str, row: dict[str, Any]) -> dict[str, Any]:
        said = {name: value for name, value in row.items() if value} | {"max": _whole(_most(row))}
        return checked(self.cap, said, _SCOPES[scope])


class CapsField(OwnCapsField):
    columns = {**OwnCapsField.columns, "then": Column("one too many is", choice(_THEN))}
    cap = FrequencyCap


def _most(row: dict[str, Any]) -> str:
    most = row.get("max")
    return "" if most is None else str(most).strip()


def _whole(typed: str) -> int | str:
    """As a number where it is one: what it is not is for the cap to say."""
    return int(typed) if typed.removeprefix("-").isdecimal() else typed


class BlockedChannelsField(TableField):
    """Channel → why it is not used."""

    columns = {"why": Column("Why nothing is sent by it", text("in use"))}
    heads = {name: name for name in CHANNELS}

    def rows(self, document: Any) -> Rows:
        return Rows({"why": (document or {}).get(name, "")} for name in CHANNELS)

    def document(self, rows: Rows) -> dict[str, str]:
        reasons = {name: (row["why"] or "").strip() for name, row in zip(CHANNELS, rows, strict=True)}
        if long := [name for name, why in reasons.items() if len(why) > _LONGEST_REASON]:
            raise ValidationError(f"{long[0]}: a reason has at most {_LONGEST_REASON} characters.")
        return {name: why for name, why in reasons.items() if why}


_LONGEST_REASON = 200


class HolidaysField(forms.CharField):
    """One a line: a date, or a day of each year."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget({"rows": 6, "placeholder": "12-25\n2027-03-26"})
        super().__init__(widget=widget, required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or [])

    def clean(self, value: Any) -> list[str]:
        days = sorted(set(str(value or "").split()))
        if flaws := holidays.complaints(days):
            raise ValidationError(flaws)
        return days

    def has_changed(self, initial: Any, data: Any) -> bool:
        return sorted(initial or []) != sorted(set(str(data or "").split()))
