"""Partials and the brand for operators: `/api/v1/admin/partials`, `/api/v1/admin/brand`."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app.house_bodies import (
    BrandChange,
    BrandDetail,
    BrandView,
    NewPartial,
    PartialChange,
    PartialDetail,
    PartialView,
)
from templates_app.house_style import Brand, Partial
from templates_app.house_views import changed, one, permissions, save, used_by
from templates_app.kit import kit_of
from templates_app.soundness import partial_error
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate


class PartialsView(OperatorView):
    permissions: ClassVar = permissions("partial")

    def partial(self, code: str) -> Partial:
        return one(Partial, self.tenant, code)

    def save(self, row: Partial) -> None:
        save(row, partial_error(row.code, row.source, kit_of(self.tenant)))


class PartialList(PartialsView):
    @extend_schema(
        operation_id="partials_list", parameters=PAGE_PARAMETERS, responses=page_schema(PartialView)
    )
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant.pk):
            page = paginate(request, Partial.objects.filter(tenant=self.tenant))
            return Response(page.body(_shown))

    @extend_schema(operation_id="partials_create", request=NewPartial, responses={201: PartialView})
    def post(self, request: Request) -> Response:
        row = Partial(tenant=self.tenant, **validate(NewPartial, request.data).model_dump())
        with tenant_scope(self.tenant.pk):
            self.save(row)
        return Response(_shown(row), 201)


class PartialOne(PartialsView):
    @extend_schema(operation_id="partials_retrieve", responses=PartialDetail)
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant.pk):
            shown = PartialDetail(
                **_shown(self.partial(code)), used_by=used_by(self.tenant, f"partial:{code}")
            )
        return Response(shown.model_dump())

    @extend_schema(operation_id="partials_change", request=PartialChange, responses=PartialView)
    def patch(self, request: Request, code: str) -> Response:
        """What is published stays as it is until it is published anew."""
        changes = validate(PartialChange, request.data).model_dump(exclude_unset=True)
        with tenant_scope(self.tenant.pk):
            row = changed(self.partial(code), changes)
            self.save(row)
        return Response(_shown(row))

    @extend_schema(operation_id="partials_delete", responses={204: None})
    def delete(self, request: Request, code: str) -> Response:
        """What is published stays as it is; a draft that names the partial can no longer be published."""
        with tenant_scope(self.tenant.pk):
            self.partial(code).delete()
        return Response(status=204)


class BrandOne(OperatorView):
    permissions: ClassVar = permissions("brand")

    @extend_schema(operation_id="brand_retrieve", responses=BrandDetail)
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant.pk):
            shown = BrandDetail(**Brand.of(self.tenant).words(), used_by=used_by(self.tenant, "brand"))
        return Response(shown.model_dump())

    @extend_schema(operation_id="brand_change", request=BrandChange, responses=BrandView)
    def patch(self, request: Request) -> Response:
        """What is published stays as it is until it is published anew."""
        changes = validate(BrandChange, request.data).model_dump(exclude_unset=True)
        with tenant_scope(self.tenant.pk):
            row = changed(Brand.of(self.tenant), changes)
            row.save()
        return Response(BrandView(**row.words()).model_dump())


def _shown(row: Partial) -> dict[str, Any]:
    return PartialView.of(row).model_dump()
