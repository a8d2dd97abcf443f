"""The rules of a mail's style sheets in its elements, once a version.

Many readers drop a style sheet (https://www.caniemail.com/features/html-style/). Media queries stay where
they are: they cannot stand in an element.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from templates_app.markup import balance
from templates_app.markup.errors import MarkupError
from templates_app.markup.protection import Protection, inert
from templates_app.markup.setting_apart import hold_attributes, set_apart

_STYLE_SHEET = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)
_START_TAG = re.compile(r'<[a-zA-Z](?:[^<>"]|"[^"]*")*>')  # as the inliner writes them
_STYLE = re.compile(r' style="([^"]*)"')


def inlined(html: str, tags: Protection) -> str:
    """Raises MarkupError for a tag that stands where no HTML can keep it, or a block that is not whole."""
    if "<style" not in html.lower():
        return inert(html)
    held = hold_attributes(set_apart(html, tags), tags)
    try:
        made: str = _inliner().inline(held)
    except ValueError:  # it cannot be read as CSS: a browser would leave it out, too
        return inert(html)
    for lost in tags.lost(_STYLE_SHEET.sub("", held), made):
        raise MarkupError(f"{lost.text} stands where HTML can keep no tag.")
    if "<tbody" not in html.lower():
        made = _around_loops(made, tags)
    balance.check(held, made, tags)
    return _START_TAG.sub(lambda found: _with_held(found[0], tags), inert(made))


def _around_loops(made: str, tags: Protection) -> str:
    """The `<tbody>` that the parser adds before the first row goes before the loop that the row is in."""
    between = rf"(<table\b[^>]*>)((?:\s|<!--{tags.word.pattern}-->)+)<tbody>"
    return re.sub(between, r"\1<tbody>\2", made)


def _with_held(element: str, tags: Protection) -> str:
    """The start tag with the attributes that were held in the place of their names."""
    for word in tags.word.findall(element):
        name = f' {word}=""'
        if name in element:
            element = _with_attribute(element.replace(name, "", 1), tags.original(word))
    return element


def _with_attribute(element: str, attribute: str) -> str:
    said = _STYLE.match(f" {attribute}")
    inlined = _STYLE.search(element)
    if said and inlined:
        both = f' style="{inlined[1].rstrip("; ")};{said[1]}"'
        return element[: inlined.start()] + both + element[inlined.end() :]
    end = -2 if element.endswith("/>") else -1
    return f"{element[:end]} {attribute}{element[end:]}"


@cache
def _inliner() -> Any:
    """Nothing is fetched: a template's style sheets are text of a tenant's, not addresses to be called."""
    from css_inline import CSSInliner  # noqa: PLC0415 - 3 MB that rendering does not need

    return CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
