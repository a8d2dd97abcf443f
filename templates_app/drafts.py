from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """The words for one channel in one locale, not yet stored. `sources`: part → MiniJinja source.

    `format` is the HTML part's: html, markdown or mjml. `layout` is a code, empty for the default, or "none".
    """

    channel: str
    locale: str
    sources: Mapping[str, str]
    format: str = "html"
    layout: str = ""
