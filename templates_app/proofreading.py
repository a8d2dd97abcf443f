"""Wordings rendered and judged, published or not: what preview, editor and publishing have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from templates_app.escaping import harmless
from templates_app.findings import Setting, Wording
from templates_app.inspection import Draft
from templates_app.linting import Finding, lint
from templates_app.models import Template
from templates_app.segments import SmsPolicy
from templates_app.workshop import Job, RenderError, workshop
from tenants.ids import new_id
from tenants.models import Tenant


def proofread(
    drafts: Sequence[Draft], *, tenant: Tenant, template: Template, data: Mapping[str, Any]
) -> list[Finding]:
    """What there is to say of the drafts, with the data as their sample. Nothing is stored."""
    return lint(wordings(drafts, data), setting(tenant, template, data))


def wordings(drafts: Sequence[Draft], data: Mapping[str, Any]) -> list[Wording]:
    """Each draft with the words it makes of the data, or why it makes none; in order."""
    jobs = [Job(f"preview:{new_id()}", draft.sources, harmless(draft.channel, data)) for draft in drafts]
    rendered = workshop.render(jobs)
    return [
        Wording(index, draft, words, _names(draft))
        for index, (draft, words) in enumerate(zip(drafts, rendered, strict=True))
    ]


def setting(tenant: Tenant, template: Template, data: Mapping[str, Any]) -> Setting:
    return Setting(template.category, tenant.locale, SmsPolicy.of(tenant), data)


def _names(draft: Draft) -> frozenset[str]:
    try:
        return frozenset(workshop.variables(draft.sources))
    except RenderError:
        return frozenset()
