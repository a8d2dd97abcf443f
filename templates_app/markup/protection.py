"""Tags put out of reach of the parsers of Markdown, MJML, HTML and CSS, and back.

Each becomes a word that is in no text. Where it stands in the text of an HTML it becomes a comment besides,
for a parser of HTML moves words that stand between two rows of a table out of it, and comments never
(https://html.spec.whatwg.org/multipage/parsing.html#parsing-main-intable).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from templates_app.tags import Kind, Piece, pieces

VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"),
    *("source", "track", "wbr"),
}
"""Elements that nothing closes: https://html.spec.whatwg.org/multipage/syntax.html#void-elements"""

_BRACE = re.compile(r"\{(?=[{%#])")
_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.IGNORECASE | re.DOTALL)


class Protection:
    """The words of one source, and what each stands for."""

    def __init__(self) -> None:
        self._prefix = f"q{secrets.token_hex(4)}n"
        self._held: list[Piece] = []
        self.word = re.compile(rf"{self._prefix}\d+z")

    def protect(self, source: str) -> str:
        """Comments of the template's author go: nobody is to read them."""
        return "".join(self._stand_in(piece) for piece in pieces(source))

    def hold(self, piece: Piece) -> str:
        self._held.append(piece)
        return f"{self._prefix}{len(self._held) - 1}z"

    def held(self, word: str) -> Piece:
        return self._held[int(word[len(self._prefix) : -1])]

    def held_in(self, text: str) -> list[Piece]:
        return [self.held(word) for word in self.word.findall(text)]

    def restore(self, text: str) -> str:
        """`text` with every tag in its place again."""
        comment_or_word = re.compile(rf"<!--({self.word.pattern})-->|{self.word.pattern}")
        return comment_or_word.sub(lambda found: self.original(found[1] or found[0]), text)

    def original(self, word: str) -> str:
        """What it stands for, with what that stands for in turn."""
        return self.restore(self.held(word).text)

    def lost(self, before: str, after: str) -> Iterable[Piece]:
        """The tags that a parser has dropped."""
        there = set(self.word.findall(after))
        return (self.held(word) for word in self.word.findall(before) if word not in there)

    def _stand_in(self, piece: Piece) -> str:
        match piece.kind:
            case Kind.TEXT:
                return piece.text
            case Kind.COMMENT:
                return self.hold(Piece(Kind.COMMENT, _trims(piece.text))) if _trims(piece.text) else ""
            case _:
                return self.hold(piece)


def _trims(comment: str) -> str:
    """An empty comment that takes away as much white space around it; nothing where it takes none."""
    left, right = comment.startswith("{#-"), comment.endswith("-#}")
    return f"{{#{'-' * left} {'-' * right}#}}" if left or right else ""


def inert(html: str) -> str:
    """Without what would be read as a tag and is none of the author's: `&#123;&#123;`, `@media{#a`."""
    parts = _STYLE.split(html)
    return "".join(
        _BRACE.sub("{ ", part) if place % 4 == 2 else _BRACE.sub("&#123;", part)
        for place, part in enumerate(parts)
    )
