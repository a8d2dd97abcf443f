"""Whether a layout or a partial can be used at all, found by using it once."""

from __future__ import annotations

from dataclasses import replace

from templates_app.drafts import Draft
from templates_app.finishing import finish
from templates_app.kit import Frame, Kit
from templates_app.markup.slots import is_slot
from templates_app.tags import tags
from templates_app.workshop import Job, RenderError, workshop
from tenants.ids import new_id

_CONTENT = {"html": "<p>Content</p>", "mjml": "<mj-section><mj-column></mj-column></mj-section>"}


def layout_error(code: str, frame: Frame, kit: Kit) -> RenderError | None:
    """`kit` holds the tenant's other layouts and partials."""
    if not any(is_slot(tag) for tag in tags(frame.source)):
        return RenderError("template_error", "It has no {{ content }}, where the content is to go.")
    trial = {"subject": "Subject", "html": _CONTENT[frame.format]}
    draft = Draft("email", "en", trial, frame.format, code)
    return _tried(frame.source, draft, replace(kit, layouts={**kit.layouts, code: frame}))


def partial_error(code: str, source: str, kit: Kit) -> RenderError | None:
    draft = Draft("sms", "en", {"body": f'{{% include "{code}" %}}'})
    return _tried(source, draft, replace(kit, partials={**kit.partials, code: source}))


def _tried(source: str, draft: Draft, kit: Kit) -> RenderError | None:
    """Without data it makes nothing; what else keeps it from that is wrong with it."""
    try:
        workshop.variables({"html": source})  # first: what is wrong stands in a line of it
        made = finish(draft, kit)
    except RenderError as error:
        return error
    (answer,) = workshop.render([Job(f"trial:{new_id()}", made.sources, {})])
    if isinstance(answer, RenderError) and answer.code != "missing_variable":
        return RenderError(answer.code, answer.message)
    return None
