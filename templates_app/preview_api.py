"""What a template would say, and what there is to say of that: `/admin/templates/{code}/preview`, `/lint`.

Nothing is stored or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app.api import TemplatesView
from templates_app.inspection import Draft
from templates_app.preview_bodies import (
    FindingView,
    LintAnswer,
    LintRequest,
    Preview,
    PreviewAnswer,
    PreviewRequest,
)
from templates_app.previewing import nothing, proof, received
from templates_app.proofreading import Subject, proofread
from templates_app.publishing import drafts_of
from templates_app.refusals import refusals
from templates_app.schemas import refuse_unsound
from tenants.context import tenant_scope
from tenants.parsing import validate
from tenants.problems import FieldError, Problem


class WordingView(TemplatesView):
    """Looking changes nothing, so it takes no more than to view templates."""

    permissions: ClassVar = {"POST": "templates_app.view_template"}

    def subject(self, code: str, number: int | None, wanted: LintRequest) -> Subject:
        own = wanted.drafts()
        number = self._number(number, wanted)
        if own is not None:
            template, schema = self.template(code), wanted.data_schema
            if schema is not None:
                refuse_unsound(schema)
            return Subject(self.tenant, template, own, wanted.data or {}, schema)
        stored = Subject.of(version := self.version(code, number), drafts_of(version))
        return stored if wanted.data is None else replace(stored, data=wanted.data)

    def _number(self, in_path: int | None, wanted: LintRequest) -> int | None:
        if in_path is not None and (wanted.version or wanted.contents):
            error = FieldError("", "version_named_twice", "The path names the version already.")
            raise Problem(400, "validation_error", error.detail, errors=[error])
        return in_path if in_path is not None else wanted.version


class VersionPreview(WordingView):
    @extend_schema(request=PreviewRequest, responses=PreviewAnswer)
    def post(self, request: Request, code: str, number: int | None = None) -> Response:
        """Every channel and locale as it would go out, with findings. With no version: the newest."""
        wanted = validate(PreviewRequest, request.data)
        with tenant_scope(self.tenant.pk), refusals():
            subject = self.subject(code, number, wanted)
        shown = proof(subject)
        kept = self._wanted(subject.drafts, wanted)
        results = [Preview.of(one) for one in shown.previews if (one.channel, one.locale) in kept]
        if wanted.channel and not results:
            results = [Preview.of(nothing(wanted.channel, wanted.locale or self.tenant.locale))]
        general = [FindingView.of(finding) for finding in shown.general]
        return Response(PreviewAnswer(results=results, findings=general).model_dump())

    def _wanted(self, drafts: Sequence[Draft], wanted: PreviewRequest) -> set[tuple[str, str]]:
        if wanted.locale is not None:
            drafts = received(drafts, locale=wanted.locale, fallback_locale=self.tenant.locale)
        return {(d.channel, d.locale) for d in drafts if wanted.channel in (None, d.channel)}


class VersionLint(WordingView):
    @extend_schema(request=LintRequest, responses=LintAnswer)
    def post(self, request: Request, code: str, number: int | None = None) -> Response:
        """What a careful colleague would say of it. With no version: the newest."""
        wanted = validate(LintRequest, request.data)
        with tenant_scope(self.tenant.pk), refusals():
            subject = self.subject(code, number, wanted)
        found = proofread(subject)
        return Response(LintAnswer(findings=[FindingView.of(finding) for finding in found]).model_dump())
