"""What a finished HTML mail is made of, as a mail program meets it: images, links, words that are hidden."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_SILENT = {"head", "script", "style", "title"}
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])", re.IGNORECASE)
_FILLER = re.compile(r"[\s\u00a0\u00ad\u034f\u200b-\u200f\u2007\ufeff]+")
"""What fills up a preview's line without a word being said."""


@dataclass(frozen=True, slots=True)
class Image:
    """`alt` is None where there is none at all: an empty one says that the image is decoration."""

    src: str
    alt: str | None
    width: str


@dataclass(slots=True)
class Link:
    href: str
    words: str = ""


@dataclass(slots=True)
class Markup:
    """`preheader` are the words that are hidden before the first that is seen."""

    images: list[Image] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    preheader: str = ""
    text: str = ""
    declares_colors: bool = False


def read(html: str) -> Markup:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    found = reader.found
    found.declares_colors = found.declares_colors or "color-scheme" in html
    return found


class _Reader(HTMLParser):
    """Forgiving, as mail programs are: an end tag ends the nearest element of its name."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Markup()
        self._open: list[tuple[str, bool]] = []  # name, whether it hides what is inside

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img" and not self._is_hidden():
            self.found.images.append(Image(given.get("src", ""), given.get("alt"), given.get("width", "")))
        if tag == "a" and "href" in given:
            self.found.links.append(Link(given["href"].strip()))
        if tag not in _VOID:
            hides = tag in _SILENT or "hidden" in given or bool(_HIDDEN.search(given.get("style", "")))
            self._open.append((tag, hides))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        names = {name for name, _ in self._open}
        words = _FILLER.sub(" ", data).strip()
        if not words or names & _SILENT:
            return
        if "a" in names and self.found.links:
            self.found.links[-1].words = f"{self.found.links[-1].words} {words}".strip()
        if not self._is_hidden():
            self.found.text = f"{self.found.text} {words}".strip()
        elif not self.found.text:
            self.found.preheader = f"{self.found.preheader} {words}".strip()

    def _is_hidden(self) -> bool:
        return any(hides for _, hides in self._open)
