"""A person's rights: to be told what is kept of them, and to be forgotten."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel, StringConstraints, model_validator
from rest_framework.request import Request
from rest_framework.response import Response

from notifications import erasure, exporting
from notifications.api.services import ServiceView
from notifications.models import Erasure
from preferences.addresses import spelled
from preferences.directory import Key
from preferences.directory_api import RecipientFilter
from preferences.documents import Address
from tenants.authentication import HasScope, Service
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.parsing import RequestModel, validate
from tenants.problems import FieldError, Problem, invalid

logger = logging.getLogger(__name__)

_TAGS = ["privacy"]
_NAMED = 100
_TYPE = OpenApiParameter("type", str, default="user", description="The recipient's type.")


class ErasureDocument(BaseModel):
    """`counts`: the rows of each table that were cleared or deleted. Whose they were is not kept."""

    id: UUID
    status: Literal["running", "done"]
    asked_by: str
    counts: dict[str, int]
    created_at: dt.datetime
    finished_at: dt.datetime | None


def shown(row: Erasure) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ErasureDocument.model_fields}
    return ErasureDocument(**plain).model_dump()


class _PersonView(ServiceView):
    throttle_group = "recipients"

    def named(self, request: Request) -> Key:
        given = {"id": self.kwargs["id"], "type": request.query_params.get("type", "user")}
        address = validate(Address, given)
        return address.type, address.id


class ReadsBoth(HasScope):
    """An export shows notifications too: a key that may not read those gets none."""

    def has_permission(self, request: Request, view: Any) -> bool:
        allowed = super().has_permission(request, view)
        return (
            allowed and isinstance(request.user, Service) and "notifications:read" in request.user.key.scopes
        )


class ExportView(_PersonView):
    permission_classes = [ReadsBoth]
    scopes = {"GET": "recipients:read"}

    @extend_schema(
        operation_id="recipients_export",
        parameters=[_TYPE],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
        tags=_TAGS,
    )
    def get(self, request: Request, **url: str) -> StreamingHttpResponse:
        """All that is kept of this person, over all tables, streamed. Needs `notifications:read` as well."""
        body = exporting.export(self.tenant, self.named(request))
        if body is None:
            raise Problem(404, "not_found", "Nothing is known of such a recipient.")
        return as_file(body)


def as_file(body: Any) -> StreamingHttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(body, content_type="application/json", headers=headers)


class EraseView(_PersonView):
    scopes = {"POST": "recipients:write"}

    @extend_schema(
        operation_id="recipients_erase",
        parameters=[_TYPE],
        request=None,
        responses={202: ErasureDocument},
        tags=_TAGS,
    )
    def post(self, request: Request, **url: str) -> Response:
        """Forget this person, over all tables. They are out of the directory at once, the rest follows.

        Asked again while it runs, it is the same erasure. What was suppressed stays so, as a hash.
        """
        row = erasure.ask(self.tenant, self.named(request), asked_by=f"key {self.caller.key.prefix}")
        return Response(shown(row), 202)


class ErasureView(ServiceView):
    scopes = {"GET": "recipients:read"}

    @extend_schema(operation_id="get_erasure", responses=ErasureDocument, tags=_TAGS)
    def get(self, request: Request, id: UUID) -> Response:
        """How far it is."""
        with tenant_scope(self.tenant.pk):
            row = Erasure.objects.filter(tenant=self.tenant, pk=id).first()
        if row is None:
            raise Problem(404, "not_found", "There is no such erasure.")
        return Response(shown(row))


class Stranger(RequestModel):
    """One of the two."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    phone: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Stranger:
        if (self.email is None) == (self.phone is None):
            raise ValueError("give email or phone, one of them")
        return self


class Named(BaseModel):
    type: str
    id: str


class StrangerErasure(ErasureDocument):
    """`recipients` have the address in the directory. They are not erased: that is done by their id."""

    recipients: list[Named]


class EraseStrangerView(OperatorView):
    permissions: ClassVar = {"POST": "preferences.delete_recipient"}

    @extend_schema(
        operation_id="admin_erase", request=Stranger, responses={202: StrangerErasure}, tags=["operators"]
    )
    def post(self, request: Request) -> Response:
        """Forget what was sent without an id to this address."""
        given = validate(Stranger, request.data)
        email = self._spelled("email", given.email) if given.email else ""
        phone = self._spelled("sms", given.phone) if given.phone else ""
        by = f"operator {self.operator.user.get_username()}"
        row = erasure.ask_for_stranger(self.tenant, email=email, phone=phone, asked_by=by)
        with tenant_scope(self.tenant_id):
            wanted = RecipientFilter(email=email or None, phone=phone or None)
            found = wanted.of(self.tenant).order_by("pk").values_list("type", "external_id")[:_NAMED]
            named = [Named(type=type_, id=external_id).model_dump() for type_, external_id in found]
        return Response({**shown(row), "recipients": named}, 202)

    def _spelled(self, channel: str, address: str) -> str:
        try:
            return spelled(channel, address, self.tenant.country)
        except ValueError as error:
            pointer = "/email" if channel == "email" else "/phone"
            raise invalid([FieldError(pointer, "invalid_address", str(error))]) from None
