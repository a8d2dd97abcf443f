"""The page that shows a version on every channel: in which locale, and with which data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.http import HttpRequest

from templates_app.admin.contents import readable
from templates_app.models import TemplateVersion
from templates_app.previewing import Preview, proof
from templates_app.proofreading import Subject
from templates_app.publishing import drafts_of
from templates_app.samples import lengthened

_SIBLINGS = 10
_OWN = "own"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form on the page asks for. `problem` says why the data that were typed are none."""

    locale: str
    sample: str
    data: Mapping[str, Any]
    text: str
    problem: str = ""


def context(request: HttpRequest, version: TemplateVersion) -> dict[str, Any]:
    """What the page shows. Its form is posted: data may be long, and belong in no address."""
    known = _samples(version)
    chosen = _chosen(request, known)
    drafts = drafts_of(version)
    shown = proof(replace(Subject.of(version, drafts), data=chosen.data))
    return {
        "house": version.tenant.name,
        "chosen": chosen,
        "locales": sorted({draft.locale for draft in drafts}),
        "samples": [(name, label) for name, (label, _) in known.items()] + [(_OWN, "As typed below")],
        "general": shown.general,
        "channels": _by_channel(shown.previews, chosen.locale),
        "has_email": any(draft.channel == "email" for draft in drafts),
    }


def _samples(version: TemplateVersion) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Name → (label, data), the version's own first."""
    own = version.sample_data
    found = {"": ("Its sample data", own), "long": ("Longer texts", lengthened(own))}
    siblings = version.template.versions.exclude(pk=version.pk).exclude(sample_data=own)[:_SIBLINGS]
    for sibling in siblings:
        found[f"v{sibling.number}"] = (f"Version {sibling.number}'s", sibling.sample_data)
    return found


def _chosen(request: HttpRequest, known: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Chosen:
    locale, sample = request.POST.get("locale", ""), request.POST.get("sample", "")
    if sample != _OWN:
        data = known.get(sample, known[""])[1]
        return Chosen(locale, sample, data, readable(data))
    text = request.POST.get("data", "")
    try:
        return Chosen(locale, sample, data_of(text), text)
    except NoDataError as error:
        return Chosen(locale, sample, known[""][1], text, f"{error} Its sample data are shown.")


class NoDataError(ValueError):
    """What was typed as data is none; says why, for people."""


def data_of(text: str) -> dict[str, Any]:
    """Raises NoDataError for what is no JSON object."""
    try:
        data = orjson.loads(text.strip() or "{}")
    except orjson.JSONDecodeError as error:
        raise NoDataError(f"The data are not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise NoDataError("The data are JSON, but no object.")
    return data


def _by_channel(previews: Iterable[Preview], locale: str) -> dict[str, list[Preview]]:
    shown: dict[str, list[Preview]] = defaultdict(list)
    for preview in previews:
        if locale in ("", preview.locale):
            shown[preview.channel].append(preview)
    return dict(sorted(shown.items(), key=lambda item: (item[0] != "email", item[0])))  # it takes a whole row
