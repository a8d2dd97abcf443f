"""Layouts for operators: `/api/v1/admin/layouts`."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app.house_bodies import LayoutChange, LayoutDetail, LayoutView, NewLayout
from templates_app.house_style import Layout
from templates_app.house_views import changed, one, permissions, save, used_by
from templates_app.kit import Frame, kit_of
from templates_app.soundness import layout_error
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate


class LayoutsView(OperatorView):
    permissions: ClassVar = permissions("layout")

    def layout(self, code: str) -> Layout:
        return one(Layout, self.tenant, code)

    def save(self, row: Layout) -> None:
        save(row, layout_error(row.code, Frame(row.format, row.source), kit_of(self.tenant)))


class LayoutList(LayoutsView):
    @extend_schema(operation_id="layouts_list", parameters=PAGE_PARAMETERS, responses=page_schema(LayoutView))
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant.pk):
            page = paginate(request, Layout.objects.filter(tenant=self.tenant))
            return Response(page.body(_shown))

    @extend_schema(operation_id="layouts_create", request=NewLayout, responses={201: LayoutView})
    def post(self, request: Request) -> Response:
        row = Layout(tenant=self.tenant, **validate(NewLayout, request.data).model_dump())
        with tenant_scope(self.tenant.pk):
            self.save(row)
        return Response(_shown(row), 201)


class LayoutOne(LayoutsView):
    @extend_schema(operation_id="layouts_retrieve", responses=LayoutDetail)
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant.pk):
            shown = LayoutDetail(**_shown(self.layout(code)), used_by=used_by(self.tenant, f"layout:{code}"))
        return Response(shown.model_dump())

    @extend_schema(operation_id="layouts_change", request=LayoutChange, responses=LayoutView)
    def patch(self, request: Request, code: str) -> Response:
        """What is published stays as it is until it is published anew."""
        changes = validate(LayoutChange, request.data).model_dump(exclude_unset=True)
        with tenant_scope(self.tenant.pk):
            row = changed(self.layout(code), changes)
            self.save(row)
        return Response(_shown(row))

    @extend_schema(operation_id="layouts_delete", responses={204: None})
    def delete(self, request: Request, code: str) -> Response:
        """What is published stays as it is; a draft that names the layout can no longer be published."""
        with tenant_scope(self.tenant.pk):
            self.layout(code).delete()
        return Response(status=204)


def _shown(row: Layout) -> dict[str, Any]:
    return LayoutView.of(row).model_dump()
