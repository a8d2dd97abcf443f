"""The templates that a new tenant starts with: a folder each below `seeds/`, for people to read and change.

`template.yaml` describes it; `<locale>.yaml` holds the parts of each channel, `<locale>.html` the content of
the email. `house.yaml` names the layouts and partials that they share, whose sources stand in folders of
their own. After that they are the tenant's, and what the tenant has under the same code is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from templates_app.drafts import Draft
from templates_app.models import Layout, Partial, Template
from templates_app.publishing import publish, save_draft
from tenants.models import Tenant

_HERE = Path(__file__).with_name("seeds")


def seed_templates(tenant: Tenant) -> tuple[list[str], list[str]]:
    """Create and publish those whose code the tenant does not use yet. Answers the codes created, skipped."""
    furnish(tenant)
    used = set(Template.objects.filter(tenant=tenant, archived_at=None).values_list("code", flat=True))
    folders = sorted(path.parent for path in _HERE.glob("*/template.yaml"))
    missing = [folder for folder in folders if folder.name not in used]
    for folder in missing:
        _create(tenant, folder)
    return [folder.name for folder in missing], [folder.name for folder in folders if folder.name in used]


def furnish(tenant: Tenant) -> None:
    """The layouts and partials that the seeded templates name."""
    house = _read(_HERE / "house.yaml")
    has_default = Layout.objects.filter(tenant=tenant, is_default=True).exists()
    for code, about in house["partials"].items():
        said = {**about, "source": (_HERE / "partials" / f"{code}.html").read_text()}
        Partial.objects.get_or_create(tenant=tenant, code=code, defaults=said)
    for code, about in house["layouts"].items():
        said = {**about, "source": (_HERE / "layouts" / f"{code}.html").read_text()}
        said["is_default"] = about["is_default"] and not has_default
        Layout.objects.get_or_create(tenant=tenant, code=code, defaults=said)


def renew_templates(tenant: Tenant) -> list[str]:
    """Bring sample data and schemas up to date where what is published says just what is written here.

    Answers the codes. Whose words somebody has changed is theirs, with all that belongs to it.
    """
    current = Template.objects.filter(tenant=tenant, archived_at=None, published__isnull=False)
    folders = {path.parent.name: path.parent for path in _HERE.glob("*/template.yaml")}
    offered = current.filter(code__in=folders).select_related("published", "tenant").order_by("code")
    return [template.code for template in offered if _renew(template, folders[template.code])]


def _renew(template: Template, folder: Path) -> bool:
    published, about, drafts = template.published, _read(folder / "template.yaml"), list(_contents(folder))
    assert published is not None
    if (published.sample_data, published.schema) == (about["sample_data"], about["schema"]):
        return False
    if sorted(map(_said, drafts)) != sorted(_said(row.draft()) for row in published.contents.all()):
        return False
    publish(save_draft(template, drafts, about["sample_data"], schema=about["schema"]))
    return True


def _said(draft: Draft) -> tuple[str, str, str, list[tuple[str, str]]]:
    return draft.channel, draft.locale, draft.layout, sorted((k, v) for k, v in draft.sources.items() if v)


@transaction.atomic
def _create(tenant: Tenant, folder: Path) -> None:
    about = _read(folder / "template.yaml")
    described = {name: about[name] for name in ("name", "description", "category", "channels")}
    template = Template.objects.create(
        tenant=tenant, code=folder.name, digest=about.get("digest"), **described
    )
    publish(save_draft(template, list(_contents(folder)), about["sample_data"], schema=about["schema"]))


def _contents(folder: Path) -> Iterator[Draft]:
    for path in sorted(folder.glob("*.html")):
        locale = path.stem
        for channel, parts in _read(folder / f"{locale}.yaml").items():
            sources = {**parts, "html": path.read_text()} if channel == "email" else parts
            yield Draft(channel, locale, sources, layout="standard" if channel == "email" else "")


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document
