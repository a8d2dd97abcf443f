"""What a tenant's services can send: the published templates, looked up for every send request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F, Q

from templates_app.cohorts import is_among
from templates_app.models import TemplateContent, TemplateVersion
from tenants.channels import Plain

Wanted = tuple[str, int | None]

_REMEMBERED_SECONDS = 1.0
_REMEMBERED_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class PublishedTemplate:
    """`channels` is for requests that name none; `content_channels` are those the version has words for.

    `canary`, of one that was not asked for by its number, is what some recipients get in its place.
    """

    template_id: UUID
    code: str
    version_id: UUID
    number: int
    category: str
    channels: tuple[Plain, ...]
    variables: tuple[str, ...]
    schema: Mapping[str, Any] | None
    content_channels: frozenset[str]
    digest: Mapping[str, Any] | None = None
    canary: Canary | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    version: PublishedTemplate
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Choice:
    """Which version a notification gets, and why: requested, published, canary or not_in_canary.

    Without a version: one whose words are ready and need no template.
    """

    version: PublishedTemplate | None
    reason: str


def choose(found: PublishedTemplate, *, number: int | None, recipient: str) -> Choice:
    """`number` is the version that was asked for, `recipient` the same text for the same person."""
    if number is not None:
        return Choice(found, "requested")
    if found.canary is None:
        return Choice(found, "published")
    if is_among(found.canary.percent, found.template_id, recipient):
        return Choice(found.canary.version, "canary")
    return Choice(found, "not_in_canary")


_remembered: dict[tuple[UUID, Wanted], tuple[float, PublishedTemplate]] = {}


def published(tenant_id: UUID, wanted: Iterable[Wanted]) -> dict[Wanted, PublishedTemplate]:
    """Those of the wanted `(code, number)` that can be sent; None for the number is the current version.

    At most one query. A published version never changes and which one is current is remembered for a second,
    so another process may go on with the version before for that long.
    """
    now = time.monotonic()
    wanted = set(wanted)
    found = {one: template for one in wanted if (template := _recall(tenant_id, one, now))}
    if missing := wanted - found.keys():
        fresh = _look_up(tenant_id, missing)
        _remember(tenant_id, fresh, now)
        found |= fresh
    return found


def missing_variables(template: PublishedTemplate, data: Mapping[str, Any]) -> list[str]:
    """The names that the template needs and the data do not hold; of `order.id` that is `order`."""
    return [name for name in template.variables if name not in data]


_spoken: dict[UUID, frozenset[str]] = {}


def content_channels(version_ids: Iterable[UUID]) -> Mapping[UUID, frozenset[str]]:
    """The channels that published versions have words for. They never change: asked for once a process."""
    if missing := set(version_ids) - _spoken.keys():
        if len(_spoken) + len(missing) > _REMEMBERED_AT_MOST:
            _spoken.clear()
        contents = TemplateContent.objects.filter(version__in=missing, version__published_at__isnull=False)
        found = contents.order_by().values_list("version").annotate(spoken=ArrayAgg("channel", distinct=True))
        _spoken.update((id, frozenset(channels)) for id, channels in found)
    return _spoken


def forget() -> None:
    """After a publication in this process."""
    _remembered.clear()


def _recall(tenant_id: UUID, one: Wanted, now: float) -> PublishedTemplate | None:
    until, template = _remembered.get((tenant_id, one), (0.0, None))
    return template if now < until else None


def _remember(tenant_id: UUID, templates: Mapping[Wanted, PublishedTemplate], now: float) -> None:
    if len(_remembered) + len(templates) > _REMEMBERED_AT_MOST:
        _remembered.clear()
    for one, template in templates.items():
        _remembered[tenant_id, one] = (now + _REMEMBERED_SECONDS, template)


def _look_up(tenant_id: UUID, wanted: set[Wanted]) -> dict[Wanted, PublishedTemplate]:
    rows = _rows(tenant_id, wanted)
    found: dict[Wanted, PublishedTemplate] = {
        (row["template__code"], row["number"]): _template(row) for row in rows
    }
    by_id = {template.version_id: template for template in found.values()}
    for row in rows:
        if row["template__published"] == row["pk"]:
            found[row["template__code"], None] = _current(row, by_id)
    return {one: found[one] for one in wanted if one in found}


def _rows(tenant_id: UUID, wanted: set[Wanted]) -> list[dict[str, Any]]:
    """Also the canaries of those whose current version is wanted."""
    current = {code for code, number in wanted if number is None}
    asked = Q(template__code__in=current) & (Q(template__published=F("pk")) | Q(template__canary=F("pk")))
    for code, number in wanted:
        if number is not None:
            asked |= Q(template__code=code, number=number)
    rows = TemplateVersion.objects.filter(
        asked, template__tenant=tenant_id, template__archived_at=None, published_at__isnull=False
    )
    spoken = ArrayAgg("contents__channel", distinct=True)
    return list(rows.order_by().values(*_COLUMNS, content_channels=spoken))


def _current(row: Mapping[str, Any], versions: Mapping[UUID, PublishedTemplate]) -> PublishedTemplate:
    tried = versions.get(row["template__canary"])
    canary = Canary(tried, row["template__canary_percent"]) if tried else None
    return replace(versions[row["pk"]], canary=canary)


_COLUMNS = (
    "pk",
    "number",
    "variables",
    "schema",
    "template",
    "template__code",
    "template__category",
    "template__channels",
    "template__digest",
    "template__published",
    "template__canary",
    "template__canary_percent",
)


def _template(row: Mapping[str, Any]) -> PublishedTemplate:
    return PublishedTemplate(
        template_id=row["template"],
        code=row["template__code"],
        version_id=row["pk"],
        number=row["number"],
        category=row["template__category"],
        channels=tuple(row["template__channels"]),
        digest=row["template__digest"],
        variables=tuple(row["variables"]),
        schema=row["schema"],
        content_channels=frozenset(row["content_channels"]),
    )
