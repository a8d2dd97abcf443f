"""The versions of a template for operators: written as drafts, compared, and put away."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app import archiving
from templates_app.api import TAGS, TemplatesView
from templates_app.bodies import NewVersion, VersionChange, VersionSummary, VersionView
from templates_app.diffing import CONTEXT, differences
from templates_app.inference import inferred
from templates_app.models import Template, TemplateVersion
from templates_app.publishing import drafts_of, save_draft, wording_of
from templates_app.refusals import refusals
from templates_app.release_bodies import DiffAnswer, PartDiffView, SchemaAnswer
from tenants.context import tenant_scope
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate
from tenants.problems import FieldError, invalid

_MOST_CONTEXT = 1_000


class VersionList(TemplatesView):
    @extend_schema(
        operation_id="template_versions_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(VersionSummary),
        tags=TAGS,
    )
    def get(self, request: Request, code: str) -> Response:
        """Newest first, those that are archived among them."""
        with tenant_scope(self.tenant.pk):
            versions = TemplateVersion.objects.filter(template=self.template(code))
            return Response(paginate(request, versions).body(_summary))

    @extend_schema(
        operation_id="template_versions_create", request=NewVersion, responses={201: VersionView}, tags=TAGS
    )
    def post(self, request: Request, code: str) -> Response:
        """A draft: nothing is sent of it until it is published, or tried as a canary."""
        wanted = validate(NewVersion, request.data)
        with tenant_scope(self.tenant.pk):
            return Response(_saved(self.template(code), wanted, None), 201)


class VersionDetail(TemplatesView):
    @extend_schema(operation_id="template_versions_retrieve", responses=VersionView, tags=TAGS)
    def get(self, request: Request, code: str, number: int) -> Response:
        with tenant_scope(self.tenant.pk):
            return Response(shown(self.version(code, number)))

    @extend_schema(
        operation_id="template_versions_rewrite", request=NewVersion, responses=VersionView, tags=TAGS
    )
    def put(self, request: Request, code: str, number: int) -> Response:
        """Rewrites a draft."""
        wanted = validate(NewVersion, request.data)
        with tenant_scope(self.tenant.pk):
            version = self.version(code, number)
            return Response(_saved(version.template, wanted, number))

    @extend_schema(
        operation_id="template_versions_change", request=VersionChange, responses=VersionView, tags=TAGS
    )
    def patch(self, request: Request, code: str, number: int) -> Response:
        """Changes of a draft what is given."""
        wanted = validate(VersionChange, request.data)
        with tenant_scope(self.tenant.pk):
            version = self.version(code, number)
            TemplateVersion.objects.select_for_update().get(pk=version.pk)  # one change after the other
            return Response(_changed(self.version(code, number), wanted))


class VersionArchive(TemplatesView):
    @extend_schema(operation_id="template_versions_archive", request=None, responses=VersionView, tags=TAGS)
    def post(self, request: Request, code: str, number: int) -> Response:
        """No longer offered for publishing; requests that name its number still get it."""
        with tenant_scope(self.tenant.pk), refusals():
            return Response(shown(archiving.archive_version(self.version(code, number), by=self.by)))


class VersionRestore(TemplatesView):
    @extend_schema(operation_id="template_versions_restore", request=None, responses=VersionView, tags=TAGS)
    def post(self, request: Request, code: str, number: int) -> Response:
        with tenant_scope(self.tenant.pk):
            return Response(shown(archiving.restore_version(self.version(code, number), by=self.by)))


class VersionSchema(TemplatesView):
    @extend_schema(operation_id="template_versions_schema", responses=SchemaAnswer, tags=TAGS)
    def get(self, request: Request, code: str, number: int) -> Response:
        """With one to begin with: from the names that the words use, and the sample data."""
        with tenant_scope(self.tenant.pk):
            version = self.version(code, number)
        suggested = inferred(version.variables, version.sample_data)
        return Response(
            SchemaAnswer(data_schema=version.schema, inferred=suggested).model_dump(by_alias=True)
        )


class VersionDiff(TemplatesView):
    @extend_schema(
        operation_id="template_versions_diff",
        parameters=[
            OpenApiParameter("context", int, description=f"Unchanged lines around, default {CONTEXT}.")
        ],
        responses=DiffAnswer,
        tags=TAGS,
    )
    def get(self, request: Request, code: str, number: int, other: int) -> Response:
        """What is different, per channel, locale and part, in lines. Of sources, not of what they render."""
        context = _context(request.query_params.get("context", str(CONTEXT)))
        with tenant_scope(self.tenant.pk):
            before, after = (wording_of(self.version(code, one)) for one in (number, other))
        parts = [PartDiffView.of(part) for part in differences(before, after, context=context)]
        return Response(DiffAnswer(before=number, after=other, parts=parts).model_dump())


def shown(row: TemplateVersion) -> dict[str, object]:
    return VersionView.of(row).model_dump(by_alias=True)


def _summary(row: TemplateVersion) -> dict[str, object]:
    return VersionSummary.of(row).model_dump()


def _saved(template: Template, wanted: NewVersion, number: int | None) -> dict[str, object]:
    drafts = [content.draft() for content in wanted.contents]
    with refusals():
        return shown(
            save_draft(template, drafts, wanted.sample_data, schema=wanted.data_schema, number=number)
        )


def _changed(version: TemplateVersion, wanted: VersionChange) -> dict[str, object]:
    contents = wanted.contents
    said: dict[str, Any] = {
        "contents": drafts_of(version) if contents is None else [content.draft() for content in contents],
        "sample_data": version.sample_data if wanted.sample_data is None else wanted.sample_data,
        "schema": wanted.data_schema if "data_schema" in wanted.model_fields_set else version.schema,
    }
    with refusals():
        return shown(save_draft(version.template, **said, number=version.number))


def _context(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 5 and int(given) <= _MOST_CONTEXT):
        raise invalid([FieldError("", "invalid_context", f"?context= must be 0 to {_MOST_CONTEXT}.")])
    return int(given)
