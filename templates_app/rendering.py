"""From a pinned version and the data to the words of a message. The hot path: a chunk at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from templates_app.engine import PARTS
from templates_app.escaping import harmless
from templates_app.locales import best_locale, spoken_locale
from templates_app.models import TemplateContent
from templates_app.reserved import NOWHERE, asks_for_links, with_links
from templates_app.workshop import Job, RenderError, Words, workshop

__all__ = ["RenderError", "RenderRequest", "Words", "render_many"]


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """`locale` is the recipient's, `fallback_locale` the tenant's; BCP 47. `timezone` is an IANA name.

    `links` makes the reserved ones, for templates that ask for them.
    """

    version_id: UUID
    channel: str
    locale: str
    fallback_locale: str
    data: Mapping[str, Any]
    timezone: str = "UTC"
    links: Callable[[], Mapping[str, str]] = NOWHERE.copy


@dataclass(frozen=True, slots=True)
class Content:
    key: str
    sources: Mapping[str, str]
    locale: str
    asks_for_links: bool


Version = Mapping[str, Mapping[str, Content]]  # channel → locale → content


def render_many(requests: Sequence[RenderRequest]) -> list[Words | RenderError]:
    """The words of each request, or why there are none; in order. At most one query.

    Only published versions are rendered. An error is an answer, not raised: it concerns one message of many.
    """
    versions = _versions.many({request.version_id for request in requests})
    found = [_content(request, versions.get(request.version_id, {})) for request in requests]
    jobs = [
        _job(content, request)
        for request, content in zip(requests, found, strict=True)
        if isinstance(content, Content)
    ]
    rendered = iter(workshop.render(jobs))
    return [next(rendered) if isinstance(content, Content) else content for content in found]


def _job(content: Content, request: RenderRequest) -> Job:
    data = harmless(request.channel, request.data)
    if content.asks_for_links:
        data = with_links(data, request.links())
    locale = _spoken(content.locale, request.locale)
    return Job(content.key, content.sources, data, locale, request.timezone)


def _content(request: RenderRequest, version: Version) -> Content | RenderError:
    by_locale = version.get(request.channel, {})
    locale = _best_locale(request.locale, request.fallback_locale, tuple(by_locale))
    if locale is None:
        return RenderError("template_missing_content", f"The template has nothing for {request.channel}.")
    return by_locale[locale]


_best_locale = lru_cache(maxsize=4096)(best_locale)
_spoken = lru_cache(maxsize=4096)(spoken_locale)


class VersionCache:
    """The published versions used last. They never change, so nothing here is ever out of date."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[UUID, Version] = OrderedDict()

    def many(self, ids: Iterable[UUID]) -> dict[UUID, Version]:
        found = {version_id: self._kept.get(version_id) for version_id in ids}
        if missing := [version_id for version_id, version in found.items() if version is None]:
            found |= _load(missing)
        versions = {version_id: version for version_id, version in found.items() if version is not None}
        self._keep(versions)
        return versions

    def _keep(self, versions: Mapping[UUID, Version]) -> None:
        with self._lock:
            for version_id, version in versions.items():
                self._kept[version_id] = version
                self._kept.move_to_end(version_id)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


_versions = VersionCache(size=256)


def _load(ids: Sequence[UUID]) -> dict[UUID, Version]:
    versions: dict[UUID, dict[str, dict[str, Content]]] = {}
    rows = TemplateContent.objects.filter(version__in=ids, version__published_at__isnull=False)
    for row in rows.only("version_id", "channel", "locale", "compiled", *PARTS):
        locales = versions.setdefault(row.version_id, {}).setdefault(row.channel, {})
        sources = row.compiled or row.sources()
        locales[row.locale] = Content(str(row.pk), sources, row.locale, asks_for_links(sources))
    return dict(versions)
