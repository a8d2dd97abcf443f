"""What a person prefers, said by themselves or by a service that asked them: one document.

It stands here, and not in `preferences`, because it names templates too.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from notifications.api.services import ServiceView
from notifications.choices import Choices, choices_of
from preferences import recipients, stated
from preferences.categories import categories
from preferences.documents import Address
from preferences.models import Recipient
from preferences.stated import Known, Stated
from preferences.user_api import OwnView
from templates_app.models import Template
from tenants.context import tenant_scope
from tenants.parsing import Patch, validate

_LOCALE = OpenApiParameter("locale", str, description="BCP 47; without it, the recipient's own.")
_TYPE = OpenApiParameter("type", str, default="user", description="The recipient's type.")


def known(tenant_id: UUID) -> Known:
    return Known(categories(tenant_id), partial(_templates, tenant_id))


def _templates(tenant_id: UUID, codes: Collection[str]) -> Collection[str]:
    """Those of the codes that the tenant has a template of; asked only where any is named."""
    if not codes:
        return ()
    with tenant_scope(tenant_id):
        found = Template.objects.filter(tenant_id=tenant_id, code__in=codes)
        return set(found.values_list("code", flat=True))


def _put(recipient: Recipient, request: Request) -> Response:
    stated.replace(recipient, stated.checked(request.data, known(recipient.tenant_id)))
    return Response(stated.read(recipient))


def _patch(recipient: Recipient, request: Request) -> Response:
    stated.change(recipient, validate(Patch, request.data), known(recipient.tenant_id))
    return Response(stated.read(recipient))


class OwnPreferencesView(OwnView):
    @extend_schema(operation_id="preferences_read", responses=Stated)
    def get(self, request: Request) -> Response:
        """Every channel as it stands, every category with what was set for it, and when nothing may ring."""
        return Response(stated.read(self.recipient(request)))

    @extend_schema(operation_id="preferences_replace", request=Stated, responses=Stated)
    def put(self, request: Request) -> Response:
        """Set these preferences and no others: what is left out is back at its default."""
        return _put(self.recipient(request), request)

    @extend_schema(operation_id="preferences_change", request=Stated, responses=Stated)
    def patch(self, request: Request) -> Response:
        """Change what is given (RFC 7396): null takes away, what is left out stays."""
        return _patch(self.recipient(request), request)


class OwnChoicesView(OwnView):
    @extend_schema(operation_id="preferences_choices", parameters=[_LOCALE], responses=Choices)
    def get(self, request: Request) -> Response:
        """What there is to switch: channels with where they lead, categories with what they may use."""
        recipient = self.recipient(request)
        locale = request.query_params.get("locale") or recipient.locale or recipient.tenant.locale
        return Response(choices_of(recipient, locale).model_dump())


class RecipientPreferencesView(ServiceView):
    scopes = {"GET": "recipients:read", "PUT": "recipients:write", "PATCH": "recipients:write"}
    throttle_group = "recipients"

    def recipient(self, request: Request) -> Recipient:
        given = {"id": self.kwargs["id"], "type": request.query_params.get("type", "user")}
        named = validate(Address, given)
        found = recipients.find(self.tenant, (named.type, named.id))
        if found is None:
            raise NotFound
        return found

    @extend_schema(operation_id="recipient_preferences_read", parameters=[_TYPE], responses=Stated)
    def get(self, request: Request, **url: str) -> Response:
        """As the recipient sees them."""
        return Response(stated.read(self.recipient(request)))

    @extend_schema(
        operation_id="recipient_preferences_replace", parameters=[_TYPE], request=Stated, responses=Stated
    )
    def put(self, request: Request, **url: str) -> Response:
        """Set these on the recipient's behalf, and no others: what is left out is back at its default."""
        return _put(self.recipient(request), request)

    @extend_schema(
        operation_id="recipient_preferences_change", parameters=[_TYPE], request=Stated, responses=Stated
    )
    def patch(self, request: Request, **url: str) -> Response:
        """Change what is given (RFC 7396): null takes away, what is left out stays."""
        return _patch(self.recipient(request), request)
