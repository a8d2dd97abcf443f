"""Two versions side by side in time, for people: what went and what came, down to the words of a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from templates_app.diffing import Line, PartDiff, differences
from templates_app.models import TemplateVersion
from templates_app.publishing import wording_of

_TOKENS = re.compile(r"\w+|\s+|.", re.DOTALL)
_LONG = 500  # characters of a line within which words are not looked at
_ALIKE = 0.4  # of their words; lines that have less in common are other lines

Segment = tuple[str, bool]
"""A piece of a line, and whether it is what changed in it."""


@dataclass(frozen=True, slots=True)
class Row:
    line: Line
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Compared:
    part: PartDiff
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        return self.part.part.replace("_", " ")


def compare(before: TemplateVersion, after: TemplateVersion) -> list[Compared]:
    return [
        Compared(part, list(rows(part.lines))) for part in differences(wording_of(before), wording_of(after))
    ]


def other_version(version: TemplateVersion, number: str | None) -> TemplateVersion | None:
    """The one to compare with: of that number, else the one that is sent, else the one before it."""
    others = version.template.versions.exclude(pk=version.pk)
    if number is not None and number.isascii() and number.isdigit() and len(number) < 10:
        return others.filter(number=int(number)).first()
    published = version.template.published
    return (
        (published if published != version else None)
        or others.filter(number__lt=version.number).first()
        or others.first()
    )


def rows(lines: Sequence[Line]) -> Iterator[Row]:
    """As many lines removed as added after them are taken for the same lines, changed."""
    runs = [list(run) for _, run in groupby(lines, key=lambda line: line.op)]
    for place, run in enumerate(runs):
        other = _counterpart(runs, place)
        for index, line in enumerate(run):
            yield Row(line, _segments(line.text, other[index].text) if other else [(line.text, False)])


def _counterpart(runs: Sequence[Sequence[Line]], place: int) -> Sequence[Line] | None:
    step = {"removed": 1, "added": -1}.get(runs[place][0].op)
    if step is None or not 0 <= place + step < len(runs):
        return None
    other = runs[place + step]
    is_pair = {runs[place][0].op, other[0].op} == {"removed", "added"} and len(other) == len(runs[place])
    return other if is_pair else None


def _segments(text: str, other: str) -> list[Segment]:
    if max(len(text), len(other)) > _LONG:
        return [(text, False)]
    mine, theirs = _TOKENS.findall(text), _TOKENS.findall(other)
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return [(text, False)]
    return [("".join(mine[i:j]), op != "equal") for op, i, j, _, _ in matcher.get_opcodes() if i < j]
