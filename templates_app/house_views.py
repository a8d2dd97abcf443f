"""What the endpoints of layouts, partials and the brand have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from templates_app.house_bodies import RenewalView, UseView
from templates_app.house_style import Layout, Partial
from templates_app.renewing import publish_anew, uses
from templates_app.workshop import RenderError
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.operator_views import OperatorView
from tenants.problems import FieldError, Problem

Coded = TypeVar("Coded", Layout, Partial)
Row = TypeVar("Row")


def permissions(model: str) -> dict[str, str]:
    return {
        "GET": f"templates_app.view_{model}",
        "POST": f"templates_app.add_{model}",
        "PATCH": f"templates_app.change_{model}",
        "DELETE": f"templates_app.delete_{model}",
    }


class PublishAnew(OperatorView):
    """`kind`: layout, partial or brand."""

    permissions: ClassVar = {"POST": "templates_app.change_template"}
    kind = ""

    @extend_schema(request=None, responses=RenewalView)
    def post(self, request: Request, code: str = "") -> Response:
        """Publishes a new version of each template whose published one is made of it as it was before.

        What was accepted keeps the version that it was accepted with.
        """
        ingredient = f"{self.kind}:{code}" if code else self.kind
        with tenant_scope(self.tenant.pk):
            renewal = publish_anew(self.tenant, ingredient, by=self.operator.user.get_username())
        return Response(RenewalView.of(renewal).model_dump())


def one(model: type[Coded], tenant: Tenant, code: str) -> Coded:
    row = model.objects.filter(tenant=tenant, code=code).first()
    if row is None:
        raise Problem(404, "not_found", f"There is no {model._meta.verbose_name} with this code.")
    return row


def used_by(tenant: Tenant, ingredient: str) -> list[UseView]:
    return [UseView.of(use) for use in uses(tenant, ingredient)]


def changed(row: Row, changes: Mapping[str, Any]) -> Row:
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def save(row: Layout | Partial, unsound: RenderError | None) -> None:
    """Raises the problem that its source has, or that its code is taken."""
    if unsound is not None:
        where = f"line {unsound.line}: " if unsound.line else ""
        error = FieldError("/source", unsound.code, f"{where}{unsound.message}")
        raise Problem(422, "template_invalid", error.detail, errors=[error])
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        name = str(row._meta.verbose_name)
        error = FieldError("/code", f"{name}_exists", f"There is a {name} with this code already.")
        raise Problem(409, error.code, error.detail, errors=[error]) from None
