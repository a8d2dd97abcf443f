"""Markdown (CommonMark with tables) to HTML. Raw HTML in it is text: its author has the HTML format for that.

A statement on a line of its own is about the lines around it. Next to a row of a table or an item of a list
it goes around the row or the item, so that a loop makes one table and one list; else it stands between two
blocks.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Any

from templates_app.markup.protection import Protection
from templates_app.tags import Kind

_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+|\s*\|")
_UNDER_HEADER = re.compile(r"\s*\|?\s*:?-{3,}:?\s*(?:\||$)")
_BEGINS = {"for", "if", "with"}


def html_of(source: str, tags: Protection) -> str:
    """`source` with tags as words; so is the answer."""
    lines = _Lines(tags)
    for line, following in pairwise([*source.splitlines(), ""]):
        lines.add(line, following)
    return _hoisted(_parser().render(lines.text()), lines)


class _Lines:
    """The lines, with each statement that stands alone in the row or item it is about, or between blocks.

    `before` and `after` are the statements that are to surround the row or item that they were put into.
    """

    def __init__(self, tags: Protection) -> None:
        self.tags = tags
        self.before: set[str] = set()
        self.after: set[str] = set()
        self._kept: list[str] = []
        self._waiting: list[str] = []  # blocks that open, until the next line tells what they are about
        self._open: list[bool] = []  # of each block that is open: whether it is about an item

    def add(self, line: str, following: str) -> None:
        if self.is_statement(line):
            for word in self.tags.word.findall(line):
                self._state(word)
        elif _ITEM.match(line) and not _UNDER_HEADER.match(following):
            self._kept.append(self._begun(line))
        else:
            self._let_stand()
            self._kept += ["", line] if self._has_ended() else [line]

    def text(self) -> str:
        self._let_stand()
        return "\n".join(self._kept)

    def is_statement(self, line: str) -> bool:
        held = self.tags.held_in(line)
        is_alone = bool(held) and not self.tags.word.sub("", line).strip()
        return is_alone and all(piece.kind is Kind.STATEMENT for piece in held)

    def _state(self, word: str) -> None:
        spoken = self.tags.held(word).word
        if spoken in _BEGINS:
            self._waiting.append(word)
            return
        self._let_stand()
        is_about_item = bool(self._open) and self._open[-1]
        if spoken.startswith("end") and self._open:
            self._open.pop()
        if is_about_item:
            self._end(word)
        else:
            self._kept += ["", word, ""]

    def _let_stand(self) -> None:
        """What waits is about no item, so it stands between two blocks."""
        if self._waiting:
            self._kept += ["", "".join(self._waiting), ""]
            self._open += [False] * len(self._waiting)
            self._waiting = []

    def _has_ended(self) -> bool:
        """A line under an item would belong to it."""
        return bool(self._kept) and any(word in self.after for word in self.tags.word.findall(self._kept[-1]))

    def _begun(self, line: str) -> str:
        marker = _ITEM.match(line)
        assert marker is not None
        words = "".join(self._waiting)
        self.before |= set(self._waiting)
        self._open += [True] * len(self._waiting)
        self._waiting = []
        return line[: marker.end()] + words + line[marker.end() :]

    def _end(self, word: str) -> None:
        """At the end of the item's last line; a row keeps its last bar last."""
        last = max((n for n, line in enumerate(self._kept) if line.strip()), default=0)
        text = self._kept[last].rstrip()
        is_row = text.lstrip().startswith("|") and text.endswith("|")
        self._kept[last] = f"{text[:-1]}{word}|" if is_row else text + word
        self.after.add(word)


def _hoisted(html: str, lines: _Lines) -> str:
    """The statements out of the paragraph, the row or the item that they were put into."""
    word = lines.tags.word.pattern
    html = re.sub(
        rf"<p>((?:{word})+)</p>", lambda found: found[1] if lines.is_statement(found[1]) else found[0], html
    )
    html = re.sub(
        rf"(<tr>\s*<t[dh][^>]*>|<li>(?:\s*<p>)?)((?:{word})+)",
        lambda found: _out(found[1], found[2], lines.before, lines, is_before=True),
        html,
    )
    return re.sub(
        rf"((?:{word})+)(</t[dh]>\s*</tr>|(?:</p>\s*)?</li>)",
        lambda found: _out(found[2], found[1], lines.after, lines, is_before=False),
        html,
    )


def _out(markup: str, words: str, placed: set[str], lines: _Lines, *, is_before: bool) -> str:
    moved = "".join(word for word in lines.tags.word.findall(words) if word in placed)
    stay = "".join(word for word in lines.tags.word.findall(words) if word not in placed)
    return moved + markup + stay if is_before else stay + markup + moved


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 4 MB that rendering does not need

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
