"""The root of what operators are served: somebody of the staff at work for one tenant."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.views import APIView

from tenants.models import Tenant
from tenants.operators import IsOperator, Operator, OperatorAuthentication


class OperatorView(APIView):
    """`permissions` names, by method, the Django permission that it takes."""

    authentication_classes = [OperatorAuthentication]
    permission_classes = [IsOperator]
    permissions: ClassVar[dict[str, str]] = {}

    @property
    def operator(self) -> Operator:
        assert isinstance(self.request.user, Operator)
        return self.request.user

    @property
    def tenant(self) -> Tenant:
        return self.operator.tenant

    @property
    def tenant_id(self) -> UUID:
        return self.tenant.pk
