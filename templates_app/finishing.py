"""A wording as it is rendered: put together and compiled. Of a published version it is never done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from templates_app.assembling import Assembled, assemble, with_brand
from templates_app.drafts import Draft
from templates_app.kit import Frame, Kit
from templates_app.workshop import RenderError, workshop


@dataclass(frozen=True, slots=True)
class Finished:
    """`sources` are what is rendered; a part `text` is the body of a mail, made from its HTML.

    `assembled` are the same before they were compiled, with the author's lines.
    """

    sources: Mapping[str, str]
    assembled: Mapping[str, str]
    made_of: Mapping[str, str]


def finish(draft: Draft, kit: Kit) -> Finished:
    """Raises RenderError."""
    made = assemble(draft, kit)
    return Finished(_compiled(made, kit), made.sources, made.made_of)


def finish_all(drafts: Sequence[Draft], kit: Kit) -> list[Finished | RenderError]:
    return [_tried(draft, kit) for draft in drafts]


def _tried(draft: Draft, kit: Kit) -> Finished | RenderError:
    try:
        return finish(draft, kit)
    except RenderError as error:
        return error


def _compiled(made: Assembled, kit: Kit) -> dict[str, str]:
    if made.content is None:
        return made.sources
    html, text = _mail(made.content, made.layout)
    sources = {**made.sources, "html": with_brand(made.preamble + html, kit.brand)}
    if "body" not in sources and text.strip():
        sources["text"] = with_brand(made.preamble + text, kit.brand)
    return sources


@lru_cache(maxsize=32)  # a draft is previewed, saved and published with the same words
def _mail(content: Frame, layout: Frame | None) -> tuple[str, str]:
    made = workshop.compile(_document(content), None if layout is None else _document(layout))
    return made["html"], made["text"]


def _document(frame: Frame) -> dict[str, str]:
    return {"format": frame.format, "source": frame.source}
