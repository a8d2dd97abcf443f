"""The text part of a mail out of its HTML, as a source with the same tags.

A mail always has one (RFC 2046, section 5.1.4). It is read as a stream and not as a tree, so that each tag
comes where it stood: a loop around rows of a table is a loop around lines. A line begins with its break, so
one that is left out takes it along. What is left of gaps is closed when it is rendered: see `tidying`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from templates_app.markup.protection import VOID, Protection
from templates_app.tags import Kind

_PARAGRAPHS = {
    *("p", "table", "ul", "ol", "blockquote", "pre", "hr", "section"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
}
_LINES = {"div", "tr", "li", "br", "dt", "dd", "header", "footer", "article", "figure", "center"}
_HIDDEN = {"head", "style", "script", "title", "template", "noscript"}
_UNSEEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_BRACE = re.compile(r"\{(?=[{%#])")
_SPACES = re.compile(r"[ \t\r\n\f\u200b\u200c\u00ad\ufeff]+")


def text_of(html: str, tags: Protection) -> str:
    """`html` with tags as words or comments; so is the answer, in words."""
    reader = _Reader(tags)
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self, tags: Protection) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._words = re.compile(rf"({tags.word.pattern})")
        self._said: list[str] = []
        self._breaks = 0  # that the last words have after them already
        self._due = 0  # breaks before the next words, wherever those stand
        self._space = ""
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._branches: list[tuple[int, str]] = []  # what was due where the `if` began

    def text(self) -> str:
        return "".join(self._said)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "body":
            self._hidden.clear()  # the end of the head may be left out
        if self._hidden or tag in _HIDDEN or _is_unseen(said):
            self._hidden += [] if tag in VOID else [tag]
            return
        self._break(max(self._due, _breaks(tag)) if _breaks(tag) else 0)
        if tag == "a":
            self._links.append((said.get("href", ""), len(self._said)))
        elif tag == "img" and said.get("alt"):
            self.handle_data(said["alt"])
        elif tag == "li":
            self._say("- ")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._reveal(tag)
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        if tag in {"td", "th"}:
            self._space = "  "
        if tag != "br":
            self._due = max(self._due, _breaks(tag))

    def handle_data(self, data: str) -> None:
        for place, part in enumerate(self._words.split(data)):
            if place % 2:
                self._tag(part)
            elif part and not self._hidden:
                self._write(part)

    def handle_comment(self, data: str) -> None:
        if self._tags.word.fullmatch(data):
            self._tag(data)

    def _reveal(self, tag: str) -> None:
        """What was left open inside a hidden element ends with it."""
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass

    def _tag(self, word: str) -> None:
        if self._hidden:
            return
        held = self._tags.held(word)
        if held.kind in {Kind.PRINT, Kind.RAW}:
            self._say(word)
        else:
            self._state(word, held.word)

    def _state(self, word: str, spoken: str) -> None:
        """A statement takes no room. A space next to a loop stays on its side of it."""
        if spoken in {"for", "endfor"} and not self._due:
            self._said.append(self._space)
            self._space = ""
        elif spoken == "if":
            self._branches.append((self._due, self._space))
        elif spoken in {"else", "elif"} and self._branches:
            self._due, self._space = self._branches[-1]
        elif spoken == "endif" and self._branches:
            self._branches.pop()
        self._said.append(word)
        self._breaks = 0

    def _write(self, data: str) -> None:
        text = _SPACES.sub(" ", data)
        if text.startswith(" ") and not self._breaks and not self._due:
            self._space = self._space or " "
        if words := text.strip(" "):
            self._say(_BRACE.sub('{{ "{" }}', words.replace("\u00a0", " ")))
            self._space = " " if text.endswith(" ") else ""

    def _say(self, words: str) -> None:
        self._break(self._due)
        self._said += [self._space, words]
        self._space, self._breaks = "", 0

    def _break(self, breaks: int) -> None:
        if breaks:
            self._said.append("\n" * (breaks - self._breaks))
            self._breaks = max(self._breaks, breaks)
            self._due, self._space = 0, ""

    def _end_link(self, href: str, since: int) -> None:
        """Its address in angle brackets (RFC 3986, appendix C), unless that is what it says."""
        label = "".join(self._said[since:]).strip()
        url = href.removeprefix("mailto:").removeprefix("tel:")
        if label and url and url != label and not href.startswith("#"):
            self._space = " "
            self._say(f"<{url}>")


def _is_unseen(attributes: Mapping[str, str]) -> bool:
    is_decoration = attributes.get("aria-hidden") == "true"
    return is_decoration or "hidden" in attributes or bool(_UNSEEN.search(attributes.get("style", "")))


def _breaks(tag: str) -> int:
    return 2 if tag in _PARAGRAPHS else 1 if tag in _LINES else 0
