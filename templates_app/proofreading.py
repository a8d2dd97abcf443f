"""Wordings rendered and judged, published or not: what preview, editor and publishing have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from templates_app.escaping import harmless
from templates_app.findings import Setting, Wording
from templates_app.finishing import Finished, finish_all
from templates_app.inspection import ContentError, Draft, inspect
from templates_app.kit import Kit, kit_of
from templates_app.linting import Finding, blocking, lint
from templates_app.models import Template, TemplateVersion
from templates_app.reserved import SAMPLES, with_links
from templates_app.segments import SmsPolicy
from templates_app.variables import Checker
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Subject:
    """Drafts to look at and what with: `data` stand in for a request's, `schema` is a sound one of theirs."""

    tenant: Tenant
    template: Template
    drafts: Sequence[Draft]
    data: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, version: TemplateVersion, drafts: Sequence[Draft]) -> Self:
        """With the version's own data."""
        return cls(version.tenant, version.template, drafts, version.sample_data, version.schema)


def proofread(subject: Subject) -> list[Finding]:
    """What there is to say of the drafts. Nothing is stored."""
    return lint(wordings(subject), setting(subject))


def unsendable(subject: Subject) -> list[ContentError]:
    """What keeps the drafts from being published: of what they say, something could not be sent."""
    return [
        ContentError(f.index, f.channel, f.locale, f.part or None, f.line, f.code, f.words)
        for f in blocking(proofread(subject))
        if f.index is not None
    ]


def wordings(subject: Subject) -> list[Wording]:
    """Each draft with the words it makes of the data, or why it makes none; in order."""
    tenant, drafts, data = subject.tenant, subject.drafts, subject.data
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


def setting(subject: Subject) -> Setting:
    tenant, schema = subject.tenant, subject.schema
    judged_by = Setting(subject.template.category, tenant.locale, SmsPolicy.of(tenant), subject.data)
    if schema is None:
        return judged_by
    told = tuple(f"{error.pointer or '/'}: {error.detail}" for error in Checker(schema).errors(subject.data))
    return replace(judged_by, declared=frozenset(schema.get("properties", ())), misfits=told)


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
