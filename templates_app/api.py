"""Templates for operators: `/api/v1/admin/templates`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app import catalog
from templates_app.bodies import (
    NewTemplate,
    NewVersion,
    TemplateChange,
    TemplateView,
    VersionSummary,
    VersionView,
)
from templates_app.inspection import ContentError, InvalidTemplateError
from templates_app.models import PublishedVersionError, Template, TemplateVersion
from templates_app.publishing import publish, save_draft
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate
from tenants.problems import FieldError, Problem, invalid


class TemplatesView(OperatorView):
    permissions: ClassVar = {
        "GET": "templates_app.view_template",
        "POST": "templates_app.change_template",
        "PUT": "templates_app.change_template",
        "PATCH": "templates_app.change_template",
        "DELETE": "templates_app.delete_template",
    }

    def template(self, code: str) -> Template:
        templates = Template.objects.select_related("published").filter(tenant=self.tenant, archived_at=None)
        template = templates.filter(code=code).first()
        if template is None:
            raise Problem(404, "not_found", "There is no template with this code.")
        return template

    def version(self, code: str, number: int | None) -> TemplateVersion:
        """The version of that number, or the newest."""
        versions = self.template(code).versions.prefetch_related("contents")
        version = versions.first() if number is None else versions.filter(number=number).first()
        if version is None:
            raise Problem(404, "not_found", "The template has no such version.")
        return version


class TemplateList(TemplatesView):
    @extend_schema(
        operation_id="templates_list", parameters=PAGE_PARAMETERS, responses=page_schema(TemplateView)
    )
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant.pk):
            mine = Template.objects.select_related("published").filter(tenant=self.tenant, archived_at=None)
            return Response(paginate(request, mine).body(_template))

    @extend_schema(operation_id="templates_create", request=NewTemplate, responses={201: TemplateView})
    def post(self, request: Request) -> Response:
        wanted = validate(NewTemplate, request.data)
        with tenant_scope(self.tenant.pk):
            try:
                with transaction.atomic():
                    template = Template.objects.create(tenant=self.tenant, **wanted.model_dump())
            except IntegrityError:
                error = FieldError("/code", "template_exists", "There is a template with this code already.")
                raise Problem(409, "template_exists", error.detail, errors=[error]) from None
        return Response(_template(template), 201)


class TemplateDetail(TemplatesView):
    @extend_schema(operation_id="templates_retrieve", responses=TemplateView)
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant.pk):
            return Response(_template(self.template(code)))

    @extend_schema(operation_id="templates_change", request=TemplateChange, responses=TemplateView)
    def patch(self, request: Request, code: str) -> Response:
        changes = validate(TemplateChange, request.data).model_dump(exclude_unset=True)
        with tenant_scope(self.tenant.pk):
            template = self.template(code)
            for name, value in changes.items():
                setattr(template, name, value)
            template.save(update_fields=list(changes))
        catalog.forget()
        return Response(_template(template))

    @extend_schema(operation_id="templates_archive", responses={204: None})
    def delete(self, request: Request, code: str) -> Response:
        """Archives it: it can no longer be sent, what was accepted before still is, and the code is free."""
        with tenant_scope(self.tenant.pk):
            template = self.template(code)
            template.archived_at = timezone.now()
            template.save(update_fields=["archived_at"])
        catalog.forget()
        return Response(status=204)


class VersionList(TemplatesView):
    @extend_schema(
        operation_id="template_versions_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(VersionSummary),
    )
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant.pk):
            versions = TemplateVersion.objects.filter(template=self.template(code))
            return Response(paginate(request, versions).body(_summary))

    @extend_schema(operation_id="template_versions_create", request=NewVersion, responses={201: VersionView})
    def post(self, request: Request, code: str) -> Response:
        wanted = validate(NewVersion, request.data)
        with tenant_scope(self.tenant.pk):
            return Response(_saved(self.template(code), wanted, None), 201)


class VersionDetail(TemplatesView):
    @extend_schema(operation_id="template_versions_retrieve", responses=VersionView)
    def get(self, request: Request, code: str, number: int) -> Response:
        with tenant_scope(self.tenant.pk):
            return Response(_version(self.version(code, number)))

    @extend_schema(operation_id="template_versions_rewrite", request=NewVersion, responses=VersionView)
    def put(self, request: Request, code: str, number: int) -> Response:
        """Rewrites a draft."""
        wanted = validate(NewVersion, request.data)
        with tenant_scope(self.tenant.pk):
            self.version(code, number)
            return Response(_saved(self.template(code), wanted, number))


class VersionPublish(TemplatesView):
    @extend_schema(operation_id="template_versions_publish", request=None, responses=VersionView)
    def post(self, request: Request, code: str, number: int) -> Response:
        """Makes this version the one that is sent. Publish an earlier one again to go back."""
        with tenant_scope(self.tenant.pk):
            try:
                return Response(_version(publish(self.version(code, number))))
            except InvalidTemplateError as error:
                raise _refusal(error.errors) from None


def _template(row: Template) -> dict[str, object]:
    return TemplateView.of(row).model_dump()


def _summary(row: TemplateVersion) -> dict[str, object]:
    return VersionSummary.of(row).model_dump()


def _version(row: TemplateVersion) -> dict[str, object]:
    return VersionView.of(row).model_dump()


def _saved(template: Template, wanted: NewVersion, number: int | None) -> dict[str, object]:
    drafts = [content.draft() for content in wanted.contents]
    try:
        return _version(save_draft(template, drafts, wanted.sample_data, number=number))
    except InvalidTemplateError as error:
        raise _refusal(error.errors) from None
    except PublishedVersionError as error:
        raise Problem(409, "version_published", str(error.message)) from None


def _refusal(errors: Iterable[ContentError]) -> Problem:
    fields = [FieldError(error.pointer, error.code, str(error)) for error in errors]
    return Problem(422, "template_invalid", invalid(fields).text, errors=fields)
