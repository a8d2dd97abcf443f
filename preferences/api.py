"""What services may do with their recipients: `/api/v1/services/recipients`."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from preferences import presence, recipients
from preferences.addresses import DeviceFields, RecipientFields, normalize
from preferences.directory import Key
from preferences.documents import Address, DeviceToken, PresenceDocument, RecipientDocument, RecipientToken
from preferences.models import Recipient
from tenants.authentication import HasScope, Service, mint_recipient_token
from tenants.models import Tenant
from tenants.parsing import validate
from tenants.problems import FieldError, Problem, invalid

_TYPE = OpenApiParameter("type", str, default="user", description="The recipient's type.")


class _RecipientView(APIView):
    """About the recipient that `{id}` and `?type=` name, among those of the key's tenant."""

    permission_classes = [HasScope]
    throttle_group = "recipients"

    def named(self, request: Request) -> tuple[Tenant, Key]:
        assert isinstance(request.user, Service)
        given = validate(Address, {"id": self.kwargs["id"], "type": request.query_params.get("type", "user")})
        return request.user.tenant, (given.type, given.id)


class RecipientView(_RecipientView):
    scopes = {
        "GET": "recipients:read",
        "PUT": "recipients:write",
        "PATCH": "recipients:write",
        "DELETE": "recipients:write",
    }

    @extend_schema(parameters=[_TYPE], responses=RecipientDocument)
    def get(self, request: Request, **url: str) -> Response:
        """A recipient, with its addresses and devices."""
        return _answer(*self.named(request))

    @extend_schema(
        parameters=[_TYPE],
        request=RecipientFields,
        responses={200: RecipientDocument, 201: RecipientDocument},
    )
    def put(self, request: Request, **url: str) -> Response:
        """Store a recipient as described. What is left out is forgotten, except devices, which then stay."""
        tenant, key = self.named(request)
        created = recipients.replace(tenant, key, _fields(request, tenant, key))
        return _answer(tenant, key, status=201 if created else 200)

    @extend_schema(parameters=[_TYPE], request=RecipientFields, responses=RecipientDocument)
    def patch(self, request: Request, **url: str) -> Response:
        """Change what is given; null clears. A list of devices replaces them."""
        tenant, key = self.named(request)
        if not recipients.change(tenant, key, _fields(request, tenant, key)):
            raise NotFound
        return _answer(tenant, key)

    @extend_schema(parameters=[_TYPE], responses={204: None})
    def delete(self, request: Request, **url: str) -> Response:
        """Forget a recipient, its devices and its preferences. Suppressions of its addresses stay."""
        if not recipients.remove(*self.named(request)):
            raise NotFound
        return Response(status=204)


class DevicesView(_RecipientView):
    scopes = {"POST": "recipients:write", "DELETE": "recipients:write"}

    @extend_schema(parameters=[_TYPE], request=DeviceFields, responses={201: DeviceFields})
    def post(self, request: Request, **url: str) -> Response:
        """Register a device for push. A token belongs to one recipient, the one that registered it last."""
        device = validate(DeviceFields, request.data)
        if not recipients.add_device(*self.named(request), device):
            raise NotFound
        return Response(device.model_dump(), status=201)

    @extend_schema(parameters=[_TYPE], request=DeviceToken, responses={204: None})
    def delete(self, request: Request, **url: str) -> Response:
        """Forget a device."""
        given = validate(DeviceToken, request.data)
        if not recipients.remove_device(*self.named(request), given.token):
            raise NotFound
        return Response(status=204)


class TokenView(_RecipientView):
    scopes = {"POST": "recipients:write"}

    @extend_schema(parameters=[_TYPE], request=None, responses={201: RecipientToken})
    def post(self, request: Request, **url: str) -> Response:
        """A short-lived token, with which an app is this recipient at `/users/me` and in the live feed."""
        tenant, key = self.named(request)
        _stored(tenant, key)
        token, expires_at = mint_recipient_token(tenant, type=key[0], external_id=key[1])
        return Response(RecipientToken(token=token, expires_at=expires_at).model_dump(), status=201)


class PresenceView(_RecipientView):
    scopes = {"GET": "recipients:read"}

    @extend_schema(parameters=[_TYPE], responses=PresenceDocument)
    def get(self, request: Request, **url: str) -> Response:
        """Whether a recipient has the live feed open: how many sockets, and since when there has been one."""
        tenant, key = self.named(request)
        _stored(tenant, key)
        known, last_seen_at = presence.sighting(tenant.pk, key)
        if not known.is_known:
            raise Problem(503, "unavailable", "It cannot be said now who is online.", retry_after=5)
        return Response(PresenceDocument.of(known, last_seen_at).model_dump())


def _fields(request: Request, tenant: Tenant, key: Key) -> RecipientFields:
    """The body, normalized. An identity in it has to be the one in the URL."""
    fields = validate(RecipientFields, request.data)
    given = {"type": fields.type, "id": fields.id}
    errors = [
        FieldError(f"/{name}", "mismatch", f"The URL says {addressed}; leave it out or make it the same.")
        for name, addressed in zip(("type", "id"), key, strict=True)
        if name in fields.model_fields_set and given[name] != addressed
    ]
    if errors:
        raise invalid(errors)
    return normalize(fields, tenant.country)


def _stored(tenant: Tenant, key: Key) -> Recipient:
    recipient = recipients.find(tenant, key)
    if recipient is None:
        raise NotFound
    return recipient


def _answer(tenant: Tenant, key: Key, status: int = 200) -> Response:
    return Response(RecipientDocument.of(_stored(tenant, key)).model_dump(), status=status)
