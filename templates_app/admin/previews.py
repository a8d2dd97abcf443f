"""What a version says on every channel in every locale, with its sample data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from templates_app.models import TemplateVersion
from templates_app.previewing import preview
from templates_app.workshop import RenderError, Words


@dataclass(frozen=True, slots=True)
class Preview:
    """The words, or why there are none."""

    locale: str
    words: Words | None
    error: RenderError | None


def previews(version: TemplateVersion) -> dict[str, list[Preview]]:
    """Channel → a preview a locale. `contents` should be prefetched: it is asked once a locale."""
    has: dict[str, list[str]] = defaultdict(list)
    for content in version.contents.all():
        has[content.locale].append(content.channel)
    shown: dict[str, list[Preview]] = defaultdict(list)
    for locale, channels in sorted(has.items()):
        said = preview(version, locale=locale, fallback_locale=version.tenant.locale, channels=channels)
        for channel, answer in said.items():
            shown[channel].append(_preview(locale, answer))
    return dict(sorted(shown.items()))


def _preview(locale: str, answer: Words | RenderError) -> Preview:
    return Preview(locale, answer, None) if isinstance(answer, Words) else Preview(locale, None, answer)
