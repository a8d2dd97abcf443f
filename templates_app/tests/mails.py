"""A mail from its source to its words, as publishing and rendering make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates_app.drafts import Draft
from templates_app.finishing import finish
from templates_app.kit import Frame, Kit
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.ids import new_id

STYLED = "<html><head><style>{css}</style></head><body>{{{{ content }}}}</body></html>"


def kit(
    layout: str = "", *, written_in: str = "html", partials: Mapping[str, str] | None = None, **brand: str
) -> Kit:
    """With `layout` as the default."""
    layouts = {"standard": Frame(written_in, layout)} if layout else {}
    return Kit(layouts, "standard" if layout else "", partials or {}, brand)


def styled(css: str) -> Kit:
    return kit(STYLED.format(css=css))


def mail(source: str, data: Mapping[str, Any] | None = None, of: Kit | None = None, **over: Any) -> Words:
    """Raises RenderError, of either step."""
    said = {"locale": "en", "sources": {"subject": "S", "html": source}, **over}
    draft = Draft("email", **said)
    made = finish(draft, of or Kit())
    (answer,) = workshop.render([Job(str(new_id()), made.sources, data or {}, draft.locale)])
    if isinstance(answer, RenderError):
        raise answer
    return answer
