"""A tenant's holidays as they are written: dates, `2027-03-26`, or days of each year, `12-25`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

_LEAP = "2024-"
"""A year that has all days."""
_SHAPE = re.compile(r"(\d{4}-)?\d{2}-\d{2}", re.ASCII)


def complaints(days: Iterable[str]) -> list[str]:
    """What is wrong with them, in words for whoever typed them."""
    return [f"{day} is no day such as 2027-03-26 or 12-25." for day in days if not _is_day(day)]


def _is_day(day: str) -> bool:
    if not _SHAPE.fullmatch(day):
        return False
    try:
        dt.date.fromisoformat(day if len(day) > 5 else _LEAP + day)
    except ValueError:
        return False
    return True
