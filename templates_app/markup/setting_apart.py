"""Each tag's word in an HTML or MJML as its place asks for it, before a parser sees it.

In text it becomes a comment. In an attribute's value it stays a word. Anywhere else in a start tag, and in a
`style` attribute, nothing that parsers leave alone can stand, so the attribute is held whole under a name of
its own and put back afterwards; what a `style` says comes after what the style sheet says. A style sheet
that is more than rules with tags as values is held whole, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from templates_app.markup.errors import MarkupError
from templates_app.markup.protection import Protection
from templates_app.tags import Kind, Piece

_WORDLESS = "style|title|textarea|script|xmp|mj-style|mj-title|mj-preview|mj-html-attributes"
"""Elements whose content is no HTML: a comment in there would be text."""

_MARKUP = re.compile(
    rf"""<!--.*?-->
       | <(?P<raw>{_WORDLESS})\b(?:[^>"']|"[^"]*"|'[^']*')*(?<!/)>(?P<css>.*?)</(?P=raw)\s*>
       | </?[a-zA-Z](?:[^>"']|"[^"]*"|'[^']*')*>
       | <[!?][^>]*>""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_OPENING_TAG = re.compile(r"<[a-zA-Z][^\s/>]*")
_VALUE = re.compile(r"[{;][^{};]*:[^{};]*\Z")
_ENDS = {"if": "endif", "for": "endfor", "with": "endwith", "filter": "endfilter"}


def set_apart(html: str, tags: Protection) -> str:
    """Comments for the words in the text; what is markup stays as it is."""
    at, made = 0, []
    for found in _MARKUP.finditer(html):
        made += [_commented(html[at : found.start()], tags), found[0]]
        at = found.end()
    return "".join([*made, _commented(html[at:], tags)])


def hold_attributes(html: str, tags: Protection) -> str:
    """The attributes and style sheets that no parser is to see are held whole."""
    return _MARKUP.sub(lambda found: _held(found, tags), html)


def _commented(text: str, tags: Protection) -> str:
    return tags.word.sub(lambda word: f"<!--{word[0]}-->", text)


def _held(found: re.Match[str], tags: Protection) -> str:
    markup = found[0]
    if not tags.word.search(markup) or markup.startswith("<!"):
        return markup
    if (found["raw"] or "").lower() == "style" and not _only_values(found["css"], tags):
        return f"<!--{tags.hold(Piece(Kind.RAW, markup))}-->"
    if found["raw"] or markup.startswith("</"):
        return markup
    name = _OPENING_TAG.match(markup)
    assert name is not None
    end = "/>" if markup.endswith("/>") else ">"
    attributes = " ".join(_attributes(markup[name.end() : -len(end)], name[0] + ">", tags))
    return f"{name[0]} {attributes}{end}"


def _only_values(css: str, tags: Protection) -> bool:
    return all(
        tags.held(word[0]).kind is Kind.PRINT and _VALUE.search(css, 0, word.start())
        for word in tags.word.finditer(css)
    )


def _attributes(text: str, element: str, tags: Protection) -> Iterator[str]:
    at = 0
    while found := _ATTRIBUTE.search(text, at):
        at = found.end()
        if word := tags.word.search(found[1]):
            start = found.start()
            at = _end_of_block(text, word, at, element, tags)
            yield tags.hold(Piece(Kind.RAW, text[start:at]))
        elif found[1].lower() == "style" and tags.word.search(found[2] or ""):
            value = found[2].strip("\"'").replace('"', "&quot;")
            yield tags.hold(Piece(Kind.RAW, f'style="{value}"'))
        else:
            yield found[0]


def _end_of_block(text: str, word: re.Match[str], at: int, element: str, tags: Protection) -> int:
    """Where the block that begins with `word` ends inside the start tag; `at`, where it is no block."""
    ends = [_ENDS[opened] for opened in [tags.held(word[0]).word] if opened in _ENDS]
    for other in tags.word.finditer(text, word.end()):
        if not ends:
            break
        at = max(at, other.end())
        spoken = tags.held(other[0]).word
        if spoken == ends[-1]:
            ends.pop()
        elif spoken in _ENDS:
            ends.append(_ENDS[spoken])
    if ends:
        raise MarkupError(f"{tags.held(word[0]).text} begins inside {element} and does not end there.")
    return at
