"""Wordings rendered and judged, published or not: what preview, editor and publishing have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from templates_app.escaping import harmless
from templates_app.findings import Setting, Wording
from templates_app.finishing import Finished, finish_all
from templates_app.inspection import Draft, inspect
from templates_app.kit import Kit, kit_of
from templates_app.linting import Finding, lint
from templates_app.models import Template
from templates_app.reserved import SAMPLES, with_links
from templates_app.segments import SmsPolicy
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant


def proofread(
    drafts: Sequence[Draft], *, tenant: Tenant, template: Template, data: Mapping[str, Any]
) -> list[Finding]:
    """What there is to say of the drafts, with the data as their sample. Nothing is stored."""
    return lint(wordings(drafts, data, tenant), setting(tenant, template, data))


def wordings(drafts: Sequence[Draft], data: Mapping[str, Any], tenant: Tenant) -> list[Wording]:
    """Each draft with the words it makes of the data, or why it makes none; in order."""
    with tenant_scope(tenant.pk):
        kit = kit_of(tenant)
    finished = finish_all(drafts, kit)
    filled = with_links(data, SAMPLES)
    jobs = [
        Job(
            *(f"preview:{new_id()}", made.sources, harmless(draft.channel, filled)),
            *(draft.locale, tenant.timezone),
        )
        for draft, made in zip(drafts, finished, strict=True)
        if isinstance(made, Finished)
    ]
    rendered = iter(workshop.render(jobs))
    answers = [next(rendered) if isinstance(made, Finished) else made for made in finished]
    return [
        Wording(index, draft, _located(draft, words, data, kit), _names(made))
        for index, (draft, words, made) in enumerate(zip(drafts, answers, finished, strict=True))
    ]


def setting(tenant: Tenant, template: Template, data: Mapping[str, Any]) -> Setting:
    return Setting(template.category, tenant.locale, SmsPolicy.of(tenant), data)


def _located(
    draft: Draft, words: Words | RenderError, data: Mapping[str, Any], kit: Kit
) -> Words | RenderError:
    """An error in a part and a line of the author's: what is rendered was put together and compiled."""
    if isinstance(words, Words):
        return words
    found = next(iter(inspect([draft], data, kit).errors), None)
    return words if found is None else RenderError(found.code, found.message, found.part, found.line)


def _names(made: Finished | RenderError) -> frozenset[str]:
    if isinstance(made, RenderError):
        return frozenset()
    try:
        return frozenset(workshop.variables(made.sources))
    except RenderError:
        return frozenset()
