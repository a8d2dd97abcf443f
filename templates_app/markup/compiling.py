"""A mail's source, once a version, to the HTML and the text sources that each message is rendered from."""

from __future__ import annotations

import re
from typing import TypedDict

from templates_app.markup import markdown, mjml
from templates_app.markup.errors import MarkupError
from templates_app.markup.inlining import inlined
from templates_app.markup.plain_text import text_of
from templates_app.markup.protection import Protection, inert
from templates_app.markup.slots import is_slot
from templates_app.tags import Kind, Piece, pieces

_IS_MJML = re.compile(r"\s*(?:<\?xml[^>]*>|<!--.*?-->|\s)*<mjml\b", re.DOTALL | re.IGNORECASE)


class Source(TypedDict):
    format: str
    source: str


class Mail(TypedDict):
    html: str
    text: str


def compiled(content: Source, layout: Source | None) -> Mail:
    """Raises MarkupError. MJML alone says itself which of its styles are to stand in the elements."""
    tags = Protection()
    html = _html(content, layout, tags)
    made = inert(html) if content["format"] == "mjml" else inlined(html, tags)
    return {"html": tags.restore(made), "text": tags.restore(text_of(html, tags))}


def _html(content: Source, layout: Source | None, tags: Protection) -> str:
    """Content and layout in one, tags as words."""
    if content["format"] == "mjml":
        return _of_mjml(tags.protect(content["source"]), layout, tags)
    inside = tags.protect(content["source"])
    if content["format"] == "markdown":
        inside = markdown.html_of(inside, tags)
    if layout is None:
        return inside
    around, slot = _opened(layout["source"], tags)
    if layout["format"] == "mjml":
        around = mjml.html_of(around, tags)
    return around.replace(f"<!--{slot}-->", slot).replace(slot, inside)


def _of_mjml(inside: str, layout: Source | None, tags: Protection) -> str:
    if layout is None:
        if not _IS_MJML.match(inside):
            raise MarkupError("Without a layout, MJML is a whole document: <mjml><mj-body>…")
        return mjml.html_of(inside, tags)
    if layout["format"] != "mjml":
        raise MarkupError("MJML needs a layout in MJML, or none.")
    around, slot = _opened(layout["source"], tags)
    return mjml.html_of(around.replace(slot, inside), tags)


def _opened(layout: str, tags: Protection) -> tuple[str, str]:
    """The layout with the word that stands where the content goes."""
    slot = tags.hold(Piece(Kind.PRINT, ""))
    parts = (slot if is_slot(piece) else tags.protect(piece.text) for piece in pieces(layout))
    return "".join(parts), slot
