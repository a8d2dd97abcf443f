"""Whether a parser of HTML has left everything in its branch, and each element whole.

It makes one tree of all branches of an `if` and of one turn of a loop, and it repairs: text between two rows
leaves the table, an element that was not closed is closed where it must end. What moves across a statement in
that way would be said when it should not be. Its author is told, rather than surprised.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

from templates_app.markup.errors import MarkupError
from templates_app.markup.protection import VOID, Protection
from templates_app.tags import Kind

_UNSAID = {"style", "script", "title", "textarea", "xmp"}
_IGNORED = {"html", "head", "body", "tbody", "colgroup", "style", "link"}
"""Elements that a parser adds by itself, or that inlining takes away."""

_BLOCKS = {"if", "for", "with", "filter", "macro", "call"}
_BRANCHES = {"else", "elif"}


@dataclass(slots=True)
class _Stretch:
    """What stands between two tags of the template. `events`: +1 for a start tag, -1 for an end tag."""

    word: str = ""
    events: list[tuple[int, str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def count(self, event: int) -> Counter[str]:
        return Counter(name for kind, name in self.events if kind == event)


def check(source: str, made: str, tags: Protection) -> None:
    """`made` is what a parser wrote of `source`, tags as comments in both. Raises MarkupError."""
    if all(tags.held(word).kind is not Kind.STATEMENT for word in tags.word.findall(made)):
        return
    before, after = _stretches(source, tags), _stretches(made, tags)
    for stretch, next_stretch in pairwise([*zip(before, after, strict=True), (_Stretch(), _Stretch())]):
        _refuse_moved(*stretch, next_stretch[1].word, tags)
    _refuse_unclosed(before, after, tags)


def _refuse_moved(before: _Stretch, after: _Stretch, ending: str, tags: Protection) -> None:
    missing = before.count(1) - after.count(1)
    has_moved_text = "".join("".join(before.text).split()) != "".join("".join(after.text).split())
    if missing or has_moved_text:
        what = f"<{next(iter(missing))}>" if missing else "text"
        where = [f"after {tags.held(before.word).text}"] if before.word else []
        where += [f"before {tags.held(ending).text}"] if ending else []
        raise MarkupError(f"HTML has no place for {what} {' and '.join(where)}: it would be moved elsewhere.")


def _refuse_unclosed(before: list[_Stretch], after: list[_Stretch], tags: Protection) -> None:
    """An element whose end was added in another branch than it began in."""
    branches: list[tuple[str, int]] = []
    begun: list[tuple[str, list[tuple[str, int]]]] = []
    for written, made in zip(before, after, strict=True):
        if made.word:
            _enter(made.word, branches, tags)
        own = written.count(-1)
        for event, name in made.events:
            if event > 0:
                begun.append((name, list(branches)))
                continue
            _, where = begun.pop() if begun else ("", branches)
            own[name] -= 1
            if own[name] < 0 and where != branches:
                said = f" {tags.held(made.word).text}" if made.word else ""
                raise MarkupError(f"<{name}> is not closed in the branch that it begins in, before{said}.")


def _enter(word: str, branches: list[tuple[str, int]], tags: Protection) -> None:
    spoken = tags.held(word).word
    if spoken in _BLOCKS:
        branches.append((word, 0))
    elif spoken in _BRANCHES and branches:
        opening, number = branches.pop()
        branches.append((opening, number + 1))
    elif spoken.removeprefix("end") in _BLOCKS and branches:
        branches.pop()


def _stretches(html: str, tags: Protection) -> list[_Stretch]:
    reader = _Reader(tags)
    reader.feed(html)
    reader.close()
    return reader.stretches


class _Reader(HTMLParser):
    def __init__(self, tags: Protection) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._unsaid = ""
        self.stretches = [_Stretch()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSAID:
            self._unsaid = tag
        if tag not in _IGNORED and tag not in VOID:
            self.stretches[-1].events.append((1, tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Neither opens nor closes anything: void, or inside an SVG."""

    def handle_endtag(self, tag: str) -> None:
        self._unsaid = ""
        if tag not in _IGNORED and tag not in VOID:
            self.stretches[-1].events.append((-1, tag))

    def handle_data(self, data: str) -> None:
        if not self._unsaid:
            self.stretches[-1].text.append(data)

    def handle_comment(self, data: str) -> None:
        if self._tags.word.fullmatch(data):
            self.stretches.append(_Stretch(data))
