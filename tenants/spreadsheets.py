"""Rows as CSV (RFC 4180), for programs and for people's spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = {*"=+-@\t\r"}


def lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A spreadsheet takes some words for formulas: https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


def plain(text: str) -> str:
    """What `lines` wrote down, or a spreadsheet did."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA else text
