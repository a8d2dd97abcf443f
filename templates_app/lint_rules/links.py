"""Links, in whatever part they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from templates_app.findings import Finding, Setting, Wording
from templates_app.lint_rules import html
from templates_app.workshop import Words

_PLAIN = re.compile(r"http://[^\s<>\"'()\[\]|]+", re.IGNORECASE)
_SITE = re.compile(r"http://[^/?#]*", re.IGNORECASE)
_NOWHERE = {"", "#"}


def check(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    """Anybody between may read along, or change where it leads; and a link that leads nowhere."""
    links = html.read(words.html).links
    for link in links:
        if link.href in _NOWHERE:
            says = f"The link “{link.words[:40]}” leads nowhere."
            yield wording.finding("link_empty", says, "html", wording.line_of("html", link.words[:40]))
    insecure = [("html", link.href) for link in links if link.href.lower().startswith("http://")]
    for part in ("body", "overrides"):
        if part in wording.draft.sources:  # a text that is made of the HTML says no more than that
            insecure += [(part, found) for found in _PLAIN.findall(getattr(words, part))]
    for part, url in dict.fromkeys(insecure):
        says = f"{url[:80]} is not https."
        yield wording.finding("link_not_https", says, part, _line(wording, part, url))


def _line(wording: Wording, part: str, url: str) -> int | None:
    """Of the whole address, or of its site where the data make the rest."""
    site = _SITE.match(url)
    return wording.line_of(part, url) or (wording.line_of(part, site[0]) if site else None)
