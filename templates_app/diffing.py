"""What is different between two versions: line by line for each part. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Literal

from templates_app.channels import PARTS
from templates_app.drafts import Draft

CONTEXT = 3
"""Unchanged lines that are shown around a change."""

_LINES = 2_000  # where more than these differ they are shown as replaced: comparing them takes their square
_PARTS = ("subject", "title", "body", "html", "overrides", "format", "layout")

Op = Literal["same", "removed", "added", "gap"]
Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Wording:
    """All that a version says: its contents, what it asks of its data, and what they might be."""

    contents: Sequence[Draft]
    schema: Mapping[str, Any] | None
    sample_data: Mapping[str, Any]


NOTHING = Wording((), None, {})


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its numbers on both sides, from 1. A gap stands for lines left out, and says how many."""

    op: Op
    before: int | None
    after: int | None
    text: str


@dataclass(frozen=True, slots=True)
class PartDiff:
    """A part that is not the same. Channel and locale are empty for the version's schema and sample data."""

    channel: str
    locale: str
    part: str
    change: Change
    added: int
    removed: int
    lines: Sequence[Line]


def differences(before: Wording, after: Wording, *, context: int = CONTEXT) -> list[PartDiff]:
    """The parts that differ, in the order that people read them: channel by channel, then what is of all."""
    old, new = _texts(before), _texts(after)
    places = sorted(old.keys() | new.keys(), key=_order)
    return [
        _part(place, old.get(place, ""), new.get(place, ""), context)
        for place in places
        if old.get(place, "") != new.get(place, "")
    ]


Place = tuple[str, str, str]


def _texts(wording: Wording) -> dict[Place, str]:
    texts: dict[Place, str] = {}
    for draft in wording.contents:
        html = {"format": draft.format, "layout": draft.layout} if "html" in draft.sources else {}
        said = {**draft.sources, **html}
        texts |= {(draft.channel, draft.locale, part): text for part, text in said.items() if text}
    if wording.schema is not None:
        texts["", "", "schema"] = _readable(wording.schema)
    if wording.sample_data:
        texts["", "", "sample_data"] = _readable(wording.sample_data)
    return texts


def _readable(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)


def _order(place: Place) -> tuple[Any, ...]:
    channel, locale, part = place
    channels = list(PARTS)
    return (
        channels.index(channel) if channel in channels else len(channels),
        locale,
        _PARTS.index(part) if part in _PARTS else len(_PARTS),
        part,
    )


def _part(place: Place, old: str, new: str, context: int) -> PartDiff:
    lines = list(compared(old.split("\n") if old else [], new.split("\n") if new else []))
    return PartDiff(
        *place,
        change="changed" if old and new else "added" if new else "removed",
        added=sum(line.op == "added" for line in lines),
        removed=sum(line.op == "removed" for line in lines),
        lines=list(_near_changes(lines, context)),
    )


def compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """All lines of both, each once."""
    for op, i, j, k, m in _blocks(old, new):
        if op == "equal":
            yield from (Line("same", i + n + 1, k + n + 1, old[i + n]) for n in range(j - i))
        else:
            yield from (Line("removed", n + 1, None, old[n]) for n in range(i, j))
            yield from (Line("added", None, n + 1, new[n]) for n in range(k, m))


def _blocks(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """As `SequenceMatcher.get_opcodes`; only what stands between first and last change is searched."""
    shorter = min(len(old), len(new))
    head = _alike(old, new, shorter)
    tail = _alike(old[::-1], new[::-1], shorter - head)
    yield "equal", 0, head, 0, head
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle_old), len(middle_new)) > _LINES:
        yield "replace", head, len(old) - tail, head, len(new) - tail
    else:
        for op, i, j, k, m in SequenceMatcher(None, middle_old, middle_new).get_opcodes():
            yield op, head + i, head + j, head + k, head + m
    yield "equal", len(old) - tail, len(old), len(new) - tail, len(new)


def _alike(old: Sequence[str], new: Sequence[str], most: int) -> int:
    """How many lines are the same from the beginning."""
    pairs = islice(zip(old, new, strict=False), most)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), most)


def _near_changes(lines: Sequence[Line], context: int) -> Iterator[Line]:
    near = [False] * len(lines)
    for n, line in enumerate(lines):
        if line.op != "same":
            around = range(max(0, n - context), min(len(lines), n + context + 1))
            for m in around:
                near[m] = True
    left_out = 0
    for line, is_near in zip(lines, near, strict=True):
        if not is_near:
            left_out += 1
            continue
        if left_out:
            yield _gap(left_out)
            left_out = 0
        yield line
    if left_out:
        yield _gap(left_out)


def _gap(count: int) -> Line:
    return Line("gap", None, None, f"{count} unchanged line{'s' if count > 1 else ''}")
