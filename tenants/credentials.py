"""For the few addresses that serve everybody: a service, a recipient or an operator, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.authentication import (
    ApiKeyAuthentication,
    BearerAuthentication,
    RecipientIdentity,
    RecipientTokenAuthentication,
    Service,
    bearer,
)
from tenants.operators import Operator, OperatorAuthentication

if TYPE_CHECKING:
    from rest_framework.views import APIView

SOMEBODY = (Service, RecipientIdentity, Operator)
_KEY = "ck_"


class AnyCredential(BearerAuthentication):
    """An API key or a recipient's token, told apart by how they begin, else an operator's session."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        credential = bearer(request)
        if credential is None:
            return OperatorAuthentication().authenticate(request)
        if credential.startswith(_KEY):
            return ApiKeyAuthentication().authenticate(request)
        return RecipientTokenAuthentication().authenticate(request)


class IsSomebody(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, SOMEBODY)
