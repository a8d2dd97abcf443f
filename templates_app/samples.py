"""Data to look at a wording with that nobody thought of when it was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Data = Mapping[str, Any]

_TIMES = 3


def lengthened(data: Data) -> dict[str, Any]:
    """Every text three times as long, to see where words run over; addresses and dates stay as they are."""
    return {name: _longer(value) for name, value in data.items()}


def _longer(value: Any) -> Any:
    match value:
        case str():
            return " ".join([value] * _TIMES) if _is_words(value) else value
        case list():
            return [_longer(item) for item in value]
        case dict():
            return lengthened(value)
        case _:
            return value


def _is_words(text: str) -> bool:
    return bool(text.strip()) and "://" not in text and "@" not in text and not text[:4].isdigit()
