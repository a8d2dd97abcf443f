"""MJML to HTML. Statements may stand between sections, columns and elements as they may in HTML."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from templates_app.markup.errors import MarkupError
from templates_app.markup.protection import Protection
from templates_app.markup.setting_apart import set_apart

_UNKNOWN = re.compile(r"<(mj-[\w-]+)")
_LEFT_OUT = re.compile(r"<mj-(?:attributes|style|font|breakpoint)\b.*?</mj-head>", re.DOTALL)


def html_of(source: str, tags: Protection) -> str:
    """`source` with tags as words; so is the answer. Raises MarkupError: it is no MJML."""
    apart = set_apart(source, tags)
    html = _rendered(apart)
    if unknown := _UNKNOWN.search(html):
        raise MarkupError(f"There is no <{unknown[1]}> in MJML, or not in this place.")
    for lost in tags.lost(_LEFT_OUT.sub("", apart), html):
        raise MarkupError(f"{lost.text} stands where MJML needs a fixed value.")
    return html


def _rendered(source: str) -> str:
    """Neither files nor the network: `<mj-include>` finds nothing, and only `<mj-font>` names fonts."""
    mrml, options, rendering = _mrml()
    try:
        made: str = mrml.to_html(source, options, rendering).content
    except OSError as error:  # its own, from Rust
        raise MarkupError(f"This is no MJML: {error}.") from None
    return made


@cache
def _mrml() -> Any:
    import mrml  # noqa: PLC0415 - 2 MB that rendering does not need

    return mrml, mrml.ParserOptions(mrml.noop_loader()), mrml.RenderOptions(fonts={})
