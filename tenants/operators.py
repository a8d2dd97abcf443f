"""Who runs the installation: staff by their Django session, each request for one tenant.

`X-Tenant` names the tenant by its slug. It may be left out where there is only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.models import Tenant
from tenants.problems import Problem

if TYPE_CHECKING:
    from rest_framework.views import APIView


@dataclass(frozen=True, slots=True)
class Operator:
    """A member of the staff at work for one tenant."""

    user: User
    tenant: Tenant
    is_authenticated: bool = True


class OperatorAuthentication(SessionAuthentication):
    """The session of the admin site; changes need its CSRF token in `X-CSRFToken`."""

    def authenticate(self, request: Request) -> tuple[Operator, None] | None:
        session = super().authenticate(request)
        if session is None or not session[0].is_staff:
            return None
        return Operator(session[0], _tenant(request)), None

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class IsOperator(BasePermission):
    """Staff with the Django permission that the view names in `permissions[method]`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, Operator):
            return False
        wanted: str | None = getattr(view, "permissions", {}).get(request.method)
        return wanted is None or request.user.user.has_perm(wanted)


def _tenant(request: Request) -> Tenant:
    slug = request.headers.get("X-Tenant")
    tenants = Tenant.objects.filter(is_active=True)
    found = list((tenants if slug is None else tenants.filter(slug=slug))[:2])
    if len(found) == 1:
        return found[0]
    if slug is None and found:
        raise Problem(400, "tenant_required", "Name the tenant in X-Tenant: there are several.")
    raise Problem(404, "tenant_not_found", "There is no such tenant.")


class OperatorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = OperatorAuthentication
    name = "operatorSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
