"""What a version says on every channel in every locale, with its sample data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from templates_app.models import TemplateVersion
from templates_app.previewing import preview
from templates_app.segments import Segments, SmsPolicy, as_sent
from templates_app.workshop import RenderError, Words


@dataclass(frozen=True, slots=True)
class Preview:
    """The words, or why there are none."""

    locale: str
    words: Words | None = None
    segments: Segments | None = None
    error: RenderError | None = None


def previews(version: TemplateVersion) -> dict[str, list[Preview]]:
    """Channel → a preview a locale. `contents` should be prefetched: it is asked once a locale."""
    has: dict[str, list[str]] = defaultdict(list)
    for content in version.contents.all():
        has[content.locale].append(content.channel)
    policy = SmsPolicy.of(version.tenant)
    shown: dict[str, list[Preview]] = defaultdict(list)
    for locale, channels in sorted(has.items()):
        said = preview(version, locale=locale, fallback_locale=version.tenant.locale, channels=channels)
        for channel, answer in said.items():
            shown[channel].append(_preview(channel, locale, answer, policy))
    return dict(sorted(shown.items()))


def _preview(channel: str, locale: str, answer: Words | RenderError, policy: SmsPolicy) -> Preview:
    if isinstance(answer, RenderError):
        return Preview(locale, error=answer)
    words, segments = as_sent(channel, answer, policy)
    return Preview(locale, words, segments)
