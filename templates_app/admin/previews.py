"""What a version says on every channel in every locale, with its sample data."""

from __future__ import annotations

from collections import defaultdict

from templates_app.models import TemplateVersion
from templates_app.previewing import Preview, proof
from templates_app.publishing import drafts_of


def previews(version: TemplateVersion) -> dict[str, list[Preview]]:
    """Channel → a preview a locale. `contents` should be prefetched."""
    shown: dict[str, list[Preview]] = defaultdict(list)
    made = proof(
        drafts_of(version), tenant=version.tenant, template=version.template, data=version.sample_data
    )
    for preview in made.previews:
        shown[preview.channel].append(preview)
    return dict(sorted(shown.items()))
