"""What is sent of a template, for operators: publish, go back, try on some; and who did."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app import canaries
from templates_app.api import TAGS, TemplatesView
from templates_app.api import shown as shown_template
from templates_app.bodies import TemplateView
from templates_app.models import TemplateRelease
from templates_app.preview_bodies import FindingView, Published
from templates_app.proofreading import Subject, proofread
from templates_app.publishing import drafts_of, publish
from templates_app.refusals import refusals
from templates_app.release_bodies import CanaryBody, ReleaseView
from templates_app.version_api import shown
from tenants.context import tenant_scope
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate


class VersionPublish(TemplatesView):
    @extend_schema(operation_id="template_versions_publish", request=None, responses=Published, tags=TAGS)
    def post(self, request: Request, code: str, number: int) -> Response:
        """Makes this version the one that is sent. Of an earlier one, that is the rollback."""
        with tenant_scope(self.tenant.pk), refusals():
            version = publish(self.version(code, number), by=self.by)
            answer = shown(version)
        found = proofread(Subject.of(version, drafts_of(version)))
        return Response({**answer, "findings": [FindingView.of(one).model_dump() for one in found]})


class CanaryDetail(TemplatesView):
    permissions: ClassVar = {**TemplatesView.permissions, "DELETE": "templates_app.change_template"}

    @extend_schema(
        operation_id="template_canary_start", request=CanaryBody, responses=TemplateView, tags=TAGS
    )
    def put(self, request: Request, code: str) -> Response:
        """Gives some recipients this version in place of the published one; again to change how many.

        Who, is decided by a hash of template and recipient, so nobody goes back while the percentage grows.
        """
        wanted = validate(CanaryBody, request.data)
        with tenant_scope(self.tenant.pk), refusals():
            version = self.version(code, wanted.version)
            return Response(shown_template(canaries.start(version, wanted.percent, by=self.by)))

    @extend_schema(operation_id="template_canary_drop", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, code: str) -> Response:
        """Everybody gets the published version again. What was accepted keeps the canary's words."""
        with tenant_scope(self.tenant.pk), refusals():
            canaries.drop(self.template(code), by=self.by)
        return Response(status=204)


class CanaryPromote(TemplatesView):
    @extend_schema(operation_id="template_canary_promote", request=None, responses=TemplateView, tags=TAGS)
    def post(self, request: Request, code: str) -> Response:
        """Publishes it for everybody."""
        with tenant_scope(self.tenant.pk), refusals():
            canaries.promote(self.template(code), by=self.by)
            return Response(shown_template(self.template(code)))


class ReleaseList(TemplatesView):
    @extend_schema(
        operation_id="template_releases_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(ReleaseView),
        tags=TAGS,
    )
    def get(self, request: Request, code: str) -> Response:
        """Who published, rolled back, tried or archived what, newest first."""
        with tenant_scope(self.tenant.pk):
            rows = TemplateRelease.objects.select_related("version").filter(template=self.template(code))
            return Response(paginate(request, rows).body(lambda row: ReleaseView.of(row).model_dump()))
