"""Templates for operators: `/api/v1/admin/templates`."""

from __future__ import annotations

from typing import ClassVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app import archiving, catalog
from templates_app.bodies import NewTemplate, TemplateChange, TemplateView
from templates_app.models import Template, TemplateVersion
from templates_app.refusals import refusals
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate
from tenants.problems import FieldError, Problem, invalid

TAGS = ["templates"]
_FILTERS = ("category", "type")


class TemplatesView(OperatorView):
    permissions: ClassVar = {
        "GET": "templates_app.view_template",
        "POST": "templates_app.change_template",
        "PUT": "templates_app.change_template",
        "PATCH": "templates_app.change_template",
        "DELETE": "templates_app.delete_template",
    }

    def template(self, code: str) -> Template:
        """The one that is offered under the code."""
        template = self.templates(archived=False).filter(code=code).first()
        if template is None:
            raise Problem(404, "not_found", "There is no template with this code.")
        return template

    def templates(self, *, archived: bool) -> QuerySet[Template]:
        rows = Template.objects.select_related("published", "canary").filter(tenant=self.tenant)
        return rows.filter(archived_at__isnull=not archived)

    def version(self, code: str, number: int | None) -> TemplateVersion:
        """The version of that number, or the newest."""
        versions = self.template(code).versions.prefetch_related("contents")
        version = versions.first() if number is None else versions.filter(number=number).first()
        if version is None:
            raise Problem(404, "not_found", "The template has no such version.")
        return version

    @property
    def by(self) -> str:
        """Who asks, for the record."""
        return self.operator.user.get_username()


class TemplateList(TemplatesView):
    permissions: ClassVar = {**TemplatesView.permissions, "POST": "templates_app.add_template"}

    @extend_schema(
        operation_id="templates_list",
        parameters=[
            *PAGE_PARAMETERS,
            *(OpenApiParameter(name, str) for name in _FILTERS),
            OpenApiParameter(
                "archived", bool, description="Those that are archived, in place of the others."
            ),
        ],
        responses=page_schema(TemplateView),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        asked = request.query_params
        equal = {name: asked[name] for name in _FILTERS if name in asked}
        with tenant_scope(self.tenant.pk):
            rows = self.templates(archived=_flag(asked.get("archived", "false"))).filter(**equal)
            return Response(paginate(request, rows).body(shown))

    @extend_schema(
        operation_id="templates_create", request=NewTemplate, responses={201: TemplateView}, tags=TAGS
    )
    def post(self, request: Request) -> Response:
        wanted = validate(NewTemplate, request.data)
        with tenant_scope(self.tenant.pk):
            try:
                with transaction.atomic():
                    template = Template.objects.create(tenant=self.tenant, **wanted.model_dump())
            except IntegrityError:
                error = FieldError("/code", "template_exists", "There is a template with this code already.")
                raise Problem(409, "template_exists", error.detail, errors=[error]) from None
        return Response(shown(template), 201)


class TemplateDetail(TemplatesView):
    @extend_schema(operation_id="templates_retrieve", responses=TemplateView, tags=TAGS)
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant.pk):
            return Response(shown(self.template(code)))

    @extend_schema(operation_id="templates_change", request=TemplateChange, responses=TemplateView, tags=TAGS)
    def patch(self, request: Request, code: str) -> Response:
        """Takes effect at once: none of this is a version's."""
        changes = validate(TemplateChange, request.data).model_dump(exclude_unset=True)
        with tenant_scope(self.tenant.pk):
            template = self.template(code)
            for name, value in changes.items():
                setattr(template, name, value)
            template.save(update_fields=list(changes))
        catalog.forget()
        return Response(shown(template))

    @extend_schema(operation_id="templates_archive", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, code: str) -> Response:
        """Archives it: it can no longer be sent, what was accepted before still is, and the code is free."""
        with tenant_scope(self.tenant.pk):
            archiving.archive(self.template(code), by=self.by)
        return Response(status=204)


class TemplateRestore(TemplatesView):
    @extend_schema(operation_id="templates_restore", request=None, responses=TemplateView, tags=TAGS)
    def post(self, request: Request, code: str) -> Response:
        """Offers the one that was archived last under this code again, as it was."""
        with tenant_scope(self.tenant.pk), refusals():
            archived = self.templates(archived=True).filter(code=code).order_by("-archived_at").first()
            if archived is None:
                raise Problem(404, "not_found", "There is no archived template with this code.")
            archiving.restore(archived, by=self.by)
            return Response(shown(self.template(code)))


def shown(row: Template) -> dict[str, object]:
    return TemplateView.of(row).model_dump()


def _flag(given: str) -> bool:
    if given not in {"true", "false"}:
        raise invalid([FieldError("", "invalid_archived", "?archived= must be true or false.")])
    return given == "true"
