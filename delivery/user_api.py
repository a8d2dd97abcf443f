"""What a recipient's own client asks before it can be reached: `/api/v1/users/me/push-key`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from delivery.accounts import Accounts
from tenants.authentication import RecipientIdentity, RecipientTokenAuthentication
from tenants.context import tenant_scope
from tenants.problems import Problem


class PushKey(BaseModel):
    """`public_key` is the `applicationServerKey` that a browser subscribes with: a P-256 point in base64url.

    https://www.rfc-editor.org/rfc/rfc8292#section-3.2
    """

    public_key: str


class PushKeyView(APIView):
    authentication_classes = [RecipientTokenAuthentication]
    throttle_group = "users"

    @extend_schema(operation_id="my_push_key", responses=PushKey)
    def get(self, request: Request) -> Response:
        """The key to subscribe a browser with. The subscription is then a device: `POST …/devices`."""
        assert isinstance(request.user, RecipientIdentity)
        tenant = request.user.tenant
        with tenant_scope(tenant.pk):
            key = Accounts.of(tenant.pk, {"push"}, tenant.account_order).subscription_key("push")
        if not key:
            raise Problem(404, "no_push_key", "There is no account that browsers could subscribe with.")
        return Response(PushKey(public_key=key).model_dump())
