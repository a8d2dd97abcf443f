"""The templates that a new tenant starts with: a folder each below `seeds/`, for people to read and change.

`template.yaml` describes it; `<locale>.yaml` holds the parts of each channel, `<locale>.html` the inside of
the email. `seeds/email/` holds the layout around that and the look: what `$name` stands for in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template as Placeholders
from typing import Any

import yaml
from django.db import transaction

from templates_app.inspection import Draft
from templates_app.models import Template
from templates_app.publishing import publish, save_draft
from tenants.models import Tenant

_HERE = Path(__file__).with_name("seeds")
_EMAIL = _HERE / "email"


def seed_templates(tenant: Tenant) -> tuple[list[str], list[str]]:
    """Create and publish those whose code the tenant does not use yet. Answers the codes created, skipped."""
    used = set(Template.objects.filter(tenant=tenant, archived_at=None).values_list("code", flat=True))
    folders = sorted(path.parent for path in _HERE.glob("*/template.yaml"))
    missing = [folder for folder in folders if folder.name not in used]
    for folder in missing:
        _create(tenant, folder)
    return [folder.name for folder in missing], [folder.name for folder in folders if folder.name in used]


@transaction.atomic
def _create(tenant: Tenant, folder: Path) -> None:
    about = _read(folder / "template.yaml")
    described = {name: about[name] for name in ("name", "description", "category", "channels")}
    template = Template.objects.create(
        tenant=tenant, code=folder.name, digest=about.get("digest"), **described
    )
    publish(save_draft(template, list(_contents(folder, about)), about["sample_data"]))


def _contents(folder: Path, about: Mapping[str, Any]) -> Iterator[Draft]:
    for path in sorted(folder.glob("*.html")):
        locale = path.stem
        for channel, parts in _read(folder / f"{locale}.yaml").items():
            yield Draft(channel, locale, _email(parts, path, about) if channel == "email" else parts)


def _email(parts: Mapping[str, str], content: Path, about: Mapping[str, Any]) -> dict[str, str]:
    look = _read(_EMAIL / "look.yaml")
    footer = look.pop("footer")[content.stem]
    own = {"accent": about["accent"], "icon": about["icon"], "lang": content.stem, "footer": footer}
    words = own | {name: _filled(text, own) for name, text in look.items()}
    words |= {"subject": parts["subject"], "preheader": parts["preheader"]}
    words["content"] = _filled(content.read_text().rstrip("\n"), words)
    html = _filled((_EMAIL / "layout.html").read_text(), words)
    return {"subject": parts["subject"], "body": parts["body"], "html": html}


def _filled(text: str, words: Mapping[str, str]) -> str:
    return Placeholders(text).substitute(words)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document
