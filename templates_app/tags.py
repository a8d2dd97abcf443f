"""Where the tags of a MiniJinja source stand, found as its own lexer finds them.

https://docs.rs/minijinja/latest/minijinja/syntax/ — a string or a bracket inside a tag may hold what would
end it. What is never closed is text here; the engine has a word for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Kind(Enum):
    TEXT = "text"
    PRINT = "print"  # {{ … }}
    STATEMENT = "statement"  # {% … %}
    COMMENT = "comment"  # {# … #}
    RAW = "raw"  # {% raw %} … {% endraw %}, all of it


class Piece(NamedTuple):
    """A tag with its delimiters, or the text between two."""

    kind: Kind
    text: str

    @property
    def inside(self) -> str:
        """What a tag says, e.g. `if name is defined`."""
        return self.text[2:-2].strip("-+").strip()

    @property
    def word(self) -> str:
        """The first word of a statement, e.g. `endfor`."""
        return self.inside.partition(" ")[0] if self.kind is Kind.STATEMENT else ""


_OPENS = {"{{": Kind.PRINT, "{%": Kind.STATEMENT, "{#": Kind.COMMENT}
_OPEN = re.compile(r"\{[{%#]")
_STEP = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [%}]\} | [][(){}] """, re.VERBOSE | re.DOTALL)
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")


@lru_cache(maxsize=64)
def pieces(source: str) -> tuple[Piece, ...]:
    """All of the source, in order."""
    return tuple(_pieces(source))


def tags(source: str) -> Iterator[Piece]:
    return (piece for piece in pieces(source) if piece.kind is not Kind.TEXT)


def _pieces(source: str) -> Iterator[Piece]:
    at = 0
    for opening in _openings(source):
        start, end, kind = opening
        if start > at:
            yield Piece(Kind.TEXT, source[at:start])
        yield Piece(kind, source[start:end])
        at = end
    if at < len(source):
        yield Piece(Kind.TEXT, source[at:])


def _openings(source: str) -> Iterator[tuple[int, int, Kind]]:
    at = 0
    while found := _OPEN.search(source, at):
        end, kind = _end(source, found.start())
        if end < 0:
            return
        yield found.start(), end, kind
        at = end


def _end(source: str, start: int) -> tuple[int, Kind]:
    kind = _OPENS[source[start : start + 2]]
    if kind is Kind.COMMENT:
        end = source.find("#}", start + 2)
        return (end + 2 if end >= 0 else -1), kind
    if raw := _RAW.match(source, start):
        closing = _ENDRAW.search(source, raw.end())
        return (closing.end() if closing else -1), Kind.RAW
    return _end_of_expression(source, start + 2, "}}" if kind is Kind.PRINT else "%}"), kind


def _end_of_expression(source: str, at: int, closing: str) -> int:
    depth = 0
    while step := _STEP.search(source, at):
        text, at = step[0], step.end()
        if text == closing and not depth:
            return at
        if text in {"}}", "%}"}:
            at -= 1  # two brackets, or an operator and one
            depth -= text == "}}"
        elif text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
    return -1
