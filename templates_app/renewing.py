"""What was published with a layout, a partial or a brand that has changed since, and publishing it anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import F

from templates_app.assembling import assemble
from templates_app.inspection import InvalidTemplateError
from templates_app.kit import Kit, kit_of
from templates_app.models import TemplateContent, TemplateVersion
from templates_app.publishing import drafts_of, publish, save_draft
from templates_app.workshop import RenderError
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Use:
    """A published version made of an ingredient; current when it would be made the same today."""

    version: TemplateVersion
    is_current: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """The versions that were made, and those that stay, each with what keeps it from being published."""

    made: list[TemplateVersion] = field(default_factory=list)
    refused: list[tuple[TemplateVersion, InvalidTemplateError]] = field(default_factory=list)


def uses(tenant: Tenant, ingredient: str) -> list[Use]:
    """Of each template the version that is sent, if it is made of the ingredient, or would be today.

    `ingredient` is `layout:<code>`, `partial:<code>` or `brand`.
    """
    kit = kit_of(tenant)
    found: dict[TemplateVersion, bool] = {}
    for row in _published(tenant):
        today = _made_today(row, kit)
        if ingredient in row.made_of or ingredient in today:
            found[row.version] = found.get(row.version, True) and row.made_of == today
    return [Use(version, is_current) for version, is_current in found.items()]


def publish_anew(tenant: Tenant, ingredient: str, *, by: str = "") -> Renewal:
    """A new version of each template that is out of date; the same words, put together as it is today.

    What was accepted before keeps the version that it was accepted with.
    """
    renewal = Renewal()
    for use in uses(tenant, ingredient):
        if use.is_current:
            continue
        try:
            renewal.made.append(_again(use.version, by))
        except InvalidTemplateError as error:
            renewal.refused.append((use.version, error))
    return renewal


def _again(version: TemplateVersion, by: str) -> TemplateVersion:
    draft = save_draft(version.template, drafts_of(version), version.sample_data, schema=version.schema)
    return publish(draft, by=by)


def _published(tenant: Tenant) -> Iterator[TemplateContent]:
    rows = TemplateContent.objects.filter(
        tenant=tenant, version=F("version__template__published"), version__template__archived_at=None
    )
    yield from rows.select_related("version__template").order_by("version__template__code", "pk")


def _made_today(row: TemplateContent, kit: Kit) -> dict[str, str]:
    try:
        return assemble(row.draft(), kit).made_of
    except RenderError:  # a partial or layout is there no more
        return {"": ""}
