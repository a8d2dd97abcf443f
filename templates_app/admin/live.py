"""The preview beside the source: the form as it stands, unsaved, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string

from templates_app.admin.previews import NoDataError, data_of
from templates_app.channels import PARTS, missing_parts
from templates_app.findings import Finding, Severity
from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.previewing import Preview, proof
from templates_app.proofreading import Subject
from templates_app.schemas import faults
from templates_app.workshop import RenderError

_CONTENTS_AT_MOST = 200
_Form = Mapping[str, str]


def answer(request: HttpRequest, version: TemplateVersion) -> JsonResponse:
    """`{"html", "problems"}`: what to show beside the source, and what stands at which part and line.

    `focus` is the place in the form of the content that is shown. Nothing is stored.
    """
    drafts = drafts_in(request.POST, version.tenant.locale)
    data, complaint = _data(request.POST.get("sample_data", ""), version)
    schema = _schema(request.POST.get("schema", ""))
    shown = proof(Subject(version.tenant, version.template, list(drafts.values()), data, schema))
    found = _placed(list(shown.findings), list(drafts))
    focus = _focus(request.POST, list(drafts))
    previews = dict(zip(drafts, shown.previews, strict=True))
    preview = None if focus is None else _begun(drafts[focus], previews[focus])
    context = {"house": version.tenant.name, "preview": preview, "complaint": complaint, "leads": True}
    html = render_to_string("templates_app/admin/live.html", context | _sorted(found, focus), request)
    problems = [_problem(finding) for finding in found if finding.part]
    return JsonResponse({"html": html, "problems": problems + _of_data(complaint)})


def drafts_in(form: _Form, locale: str) -> dict[int, Draft]:
    """Place in the form → the words there, as far as they are written; a blank locale is the tenant's."""
    total = min(int(form.get("contents-TOTAL_FORMS") or 0), _CONTENTS_AT_MOST)
    found = {place: _draft(form, f"contents-{place}-", locale) for place in range(total)}
    return {place: draft for place, draft in found.items() if draft is not None}


def _draft(form: _Form, prefix: str, locale: str) -> Draft | None:
    channel = form.get(f"{prefix}channel", "")
    if channel not in PARTS or form.get(f"{prefix}DELETE"):
        return None
    written = {part: form.get(prefix + part, "").replace("\r\n", "\n").strip() for part in PARTS[channel]}
    sources = {part: source for part, source in written.items() if source}
    said = {name: form.get(prefix + name, "").strip() for name in ("locale", "format", "layout")}
    return Draft(channel, said["locale"] or locale, sources, said["format"] or "html", said["layout"])


def _data(text: str, version: TemplateVersion) -> tuple[Mapping[str, Any], str]:
    """The sample data as typed; while they are no JSON, those that are stored, and why."""
    try:
        return data_of(text), ""
    except NoDataError as error:
        return version.sample_data, str(error)


def _schema(text: str) -> Mapping[str, Any] | None:
    """As typed; while it is none, the data are held against nothing. Saving says what is wrong with it."""
    with suppress(NoDataError):
        schema = data_of(text)
        return schema if schema and not faults(schema) else None
    return None


def _begun(draft: Draft, made: Preview) -> Preview:
    """What lacks a part yet has nothing to show."""
    missing = missing_parts(draft.channel, set(draft.sources))
    if not missing or made.error:
        return made
    says = f"A message by {draft.channel} needs {' and '.join(missing)}."
    return Preview(draft.channel, draft.locale, error=RenderError("not_written_yet", says))


def _focus(form: _Form, places: Sequence[int]) -> int | None:
    wanted = form.get("focus", "")
    if wanted.isdecimal() and int(wanted) in places:
        return int(wanted)
    return places[0] if places else None


def _placed(findings: Sequence[Finding], places: Sequence[int]) -> list[Finding]:
    """With the content's place in the form, which counts what is to be deleted too."""
    return [f if f.index is None else replace(f, index=places[f.index]) for f in findings]


def _sorted(found: Sequence[Finding], focus: int | None) -> dict[str, Any]:
    own = [finding for finding in found if finding.index is not None and finding.index == focus]
    return {
        "findings": own,
        "elsewhere": [finding for finding in found if finding not in own],
        "counts": [(weight.value, sum(f.severity is weight for f in found)) for weight in Severity],
    }


def _problem(finding: Finding) -> dict[str, Any]:
    return {
        "place": finding.index,
        "part": finding.part,
        "line": finding.line,
        "severity": finding.severity,
        "words": finding.words,
    }


def _of_data(complaint: str) -> list[dict[str, Any]]:
    if not complaint:
        return []
    return [{"place": None, "part": "sample_data", "line": None, "severity": "error", "words": complaint}]
