"""What stands in the data, read as a moment or as a number."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

_MILLISECONDS = 100_000_000_000  # seconds up to here: to the year 5138
_DIGITS = 30


class FilterError(Exception):
    """Why a value cannot be written. `code` is missing_variable or template_error."""

    def __init__(self, message: str, code: str = "template_error") -> None:
        super().__init__(message)
        self.message, self.code = message, code


def moment(value: Any) -> dt.datetime | dt.date:
    """ISO 8601, or seconds or milliseconds since 1970. A date alone stays one."""
    match value:
        case str():
            return _read(value.strip())
        case int() | float() if not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > _MILLISECONDS else value
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        case _:
            raise FilterError(f"{value} is no date.")


def _read(text: str) -> dt.datetime | dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise FilterError(f'"{text[:40]}" is no date, such as 2026-03-01 or 2026-03-01T09:30:00Z.') from None


def number(value: Any) -> Decimal:
    """A number, or one in a string, as money often is."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise FilterError(f"{value} is no number.")
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        raise FilterError(f'"{str(value)[:40]}" is no number.') from None
    if not read.is_finite() or read.adjusted() > _DIGITS or len(read.as_tuple().digits) > _DIGITS:
        raise FilterError("it is no number to be written out.")
    return read
