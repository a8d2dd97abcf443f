"""A wording put together with its tenant's partials, brand and layout: source in, source out.

An include is taken in word for word, so what a partial prints is escaped as its surroundings are, and a loop
around it is a loop around its words. Of a layout, `{{ content }}` and `{{ content.subject }}` are places to
be filled; `content.locale` and `content.language` can be asked for. What a content sets at its very
beginning, `{% set accent = "#15803d" %}`, is set for its layout as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

import orjson

from templates_app.drafts import Draft
from templates_app.escaping import harmless
from templates_app.house_style import NO_LAYOUT
from templates_app.kit import Frame, Kit
from templates_app.markup.slots import is_slot
from templates_app.tags import Kind, Piece, pieces, tags
from templates_app.workshop import RenderError

SOURCE_BYTES = 400_000
"""What a part may weigh with its partials; a mail program cuts off at a quarter of it."""

_DEPTH = 8
_INCLUDE = re.compile(r"""include\s+(?:"([^"]*)"|'([^']*)')(\s+ignore\s+missing)?\s*""")
_WHOLE = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|mjml)\b", re.IGNORECASE | re.DOTALL)
_BRAND = re.compile(r"\bbrand\b")
_CONTENT = re.compile(r"\bcontent\b")


@dataclass(slots=True)
class Assembled:
    """`sources` are the parts by name. `content`, without its `preamble`, and `layout` are to be compiled."""

    sources: dict[str, str]
    content: Frame | None = None
    layout: Frame | None = None
    preamble: str = ""
    made_of: dict[str, str] = field(default_factory=dict)


def assemble(draft: Draft, kit: Kit) -> Assembled:
    """Raises RenderError: a partial or the layout is not there, or it grows too large."""
    expansion = _Expansion(kit)
    sources = {part: expansion.of(source, part) for part, source in draft.sources.items()}
    made = Assembled(sources, made_of=expansion.made_of)
    if draft.channel == "email" and "html" in sources:
        _lay_out(made, draft, kit, expansion)
    brand = harmless(draft.channel, kit.brand)
    made.sources = {part: with_brand(source, brand) for part, source in sources.items()}
    everything = [*sources.values(), made.layout.source if made.layout else ""]
    if any(map(_speaks_of_brand, everything)):
        made.made_of["brand"] = kit.hash_of("brand")
    return made


def with_brand(source: str, brand: Mapping[str, str]) -> str:
    """The source with the brand in it, where it speaks of it. No line moves."""
    if not _speaks_of_brand(source):
        return source
    return f"{{% set brand = {orjson.dumps(dict(brand)).decode()} %}}{source}"


def _speaks_of_brand(source: str) -> bool:
    return any(_BRAND.search(tag.text) for tag in tags(source))


class _Expansion:
    """Includes replaced by what they name; each partial is expanded once, however often it is named."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._known: dict[str, str] = {}
        self.made_of: dict[str, str] = {}

    def of(self, source: str, part: str, inside: tuple[str, ...] = ()) -> str:
        """`part` is the part that an error is about, `inside` the partials that lead here."""
        made: list[str] = []
        line = 1
        for piece in pieces(source):
            made.append(self._included(piece, part, line, inside))
            line += piece.text.count("\n")
        if sum(map(len, made)) > SOURCE_BYTES:
            raise RenderError("template_too_expensive", "With its partials it is too large.", part)
        return "".join(made)

    def _included(self, piece: Piece, part: str, line: int, inside: tuple[str, ...]) -> str:
        found = _INCLUDE.fullmatch(piece.inside) if piece.word == "include" else None
        if found is None:
            return piece.text
        code = found[1] or found[2] or ""
        if code not in self._kit.partials:
            if found[3]:
                return ""
            raise RenderError("template_error", f'There is no partial "{code}".', part, line)
        if code in inside or len(inside) >= _DEPTH:
            raise RenderError("template_error", f'The partial "{code}" includes itself.', part, line)
        if code not in self._known:
            self._known[code] = self.of(self._kit.partials[code], part, (*inside, code))
            self.made_of[f"partial:{code}"] = self._kit.hash_of(f"partial:{code}")
        return _trimmed_as(piece.text, self._known[code])


def _trimmed_as(tag: str, words: str) -> str:
    """With as much white space around it as the tag would have left."""
    before = "{#- #}" if tag.startswith("{%-") else ""
    after = "{# -#}" if tag.endswith("-%}") else ""
    return before + words + after


def _lay_out(made: Assembled, draft: Draft, kit: Kit, expansion: _Expansion) -> None:
    preamble, rest = _parted(made.sources["html"])
    made.preamble, made.content = preamble, Frame(draft.format, rest)
    code = _layout_code(draft, rest, kit)
    if not code:
        return
    made.made_of[f"layout:{code}"] = kit.hash_of(f"layout:{code}")
    frame = kit.layouts[code]
    source = _filled(expansion.of(frame.source, "html"), made.sources.get("subject", ""))
    if any(_CONTENT.search(tag.text) for tag in tags(source) if not is_slot(tag)):
        made.preamble += _content(draft)
    made.layout = Frame(frame.format, source)


def _layout_code(draft: Draft, html: str, kit: Kit) -> str:
    """The code of the layout around it, or empty. A whole document has none unless it names one."""
    is_whole = draft.format != "markdown" and _WHOLE.match(html) is not None
    if draft.layout in {"", NO_LAYOUT}:
        return "" if draft.layout == NO_LAYOUT or is_whole else kit.default
    if draft.layout not in kit.layouts:
        raise RenderError("template_error", f'There is no layout "{draft.layout}".', "html")
    if is_whole:
        raise RenderError("template_error", "A whole document can have no layout around it.", "html")
    return draft.layout


def _filled(layout: str, subject: str) -> str:
    said = "".join(_in_html(subject))
    return "".join(said if _is_subject(piece) else piece.text for piece in pieces(layout))


def _is_subject(piece: Piece) -> bool:
    return piece.kind is Kind.PRINT and piece.inside == "content.subject"


def _in_html(source: str) -> Iterator[str]:
    """The source of a part that is no HTML, for a place in one: the data in it are escaped there anyway."""
    return (escape(piece.text) if piece.kind is Kind.TEXT else piece.text for piece in pieces(source))


def _content(draft: Draft) -> str:
    said: Mapping[str, str] = {"locale": draft.locale, "language": draft.locale.partition("-")[0].lower()}
    return f"{{% set content = {orjson.dumps(said).decode()} %}}"


def _parted(source: str) -> tuple[str, str]:
    """What a source sets at its very beginning, and the rest."""
    end = at = 0
    is_open = False
    for piece in pieces(source):
        at += len(piece.text)
        if piece.word == "set":
            is_open = "=" not in piece.inside
        elif piece.word == "endset":
            is_open = False
        elif not is_open and piece.kind is not Kind.COMMENT and piece.text.strip():
            break
        if not is_open:
            end = at
    return "".join(piece.text for piece in pieces(source[:end]) if piece.text.strip()), source[end:]
