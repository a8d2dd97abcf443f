"""What a version would say, published or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from templates_app.escaping import harmless
from templates_app.locales import best_locale
from templates_app.models import TemplateContent, TemplateVersion
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.ids import new_id


def preview(
    version: TemplateVersion,
    *,
    locale: str,
    fallback_locale: str,
    data: Mapping[str, Any] | None = None,
    channels: Collection[str] | None = None,
) -> dict[str, Words | RenderError]:
    """Channel → words. Without `data` the sample data serve, without `channels` all that the version has."""
    contents = _chosen(version, locale, fallback_locale)
    wanted = list(contents) if channels is None else list(channels)
    given = version.sample_data if data is None else data
    jobs = [
        Job(f"preview:{new_id()}", contents[channel].sources(), harmless(channel, given))
        for channel in wanted
        if channel in contents
    ]
    rendered = iter(workshop.render(jobs))
    return {channel: next(rendered) if channel in contents else _nothing(channel) for channel in wanted}


def _chosen(version: TemplateVersion, locale: str, fallback_locale: str) -> dict[str, TemplateContent]:
    """Channel → the content in the locale that a recipient would get."""
    by_channel: dict[str, dict[str, TemplateContent]] = {}
    for content in version.contents.all():
        by_channel.setdefault(content.channel, {})[content.locale] = content
    best = {channel: best_locale(locale, fallback_locale, found) for channel, found in by_channel.items()}
    return {channel: by_channel[channel][chosen] for channel, chosen in best.items() if chosen is not None}


def _nothing(channel: str) -> RenderError:
    return RenderError("template_missing_content", f"The template has nothing for {channel}.")
