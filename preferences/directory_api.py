"""Recipients by the many: `/api/v1/services/recipients`, looked for and stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, ClassVar

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from preferences import bulk, phones
from preferences.addresses import RecipientFields, RecipientType
from preferences.api import RecipientView
from preferences.documents import RecipientDocument
from preferences.models import Recipient
from tenants.authentication import HasScope, Service
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsers import Items, ItemsParser, JsonLinesParser
from tenants.parsing import RequestModel, validate
from tenants.problems import FieldError, invalid

Word = Annotated[str, StringConstraints(min_length=1, max_length=320)]


class RecipientFilter(RequestModel):
    """All that is given must hold. `q` is how an id, an email address or a phone number begins."""

    email: Word | None = None
    phone: Word | None = None
    type: RecipientType | None = None
    updated_since: AwareDatetime | None = None
    q: Word | None = None

    def of(self, tenant: Tenant) -> QuerySet[Recipient]:
        """The tenant's recipients that it lets through. The partial indexes leave out what is empty."""
        rows = Recipient.objects.filter(tenant=tenant)
        if self.email is not None:
            rows = rows.alias(mailbox=Lower("email")).filter(~Q(email=""), mailbox=self.email.lower())
        if self.phone is not None:
            rows = rows.filter(~Q(phone=""), phone=self._number(tenant, self.phone))
        if self.type is not None:
            rows = rows.filter(type=self.type)
        if self.updated_since is not None:
            rows = rows.filter(updated_at__gte=self.updated_since)
        return rows if self.q is None else rows.filter(_begins(self.q))

    @staticmethod
    def _number(tenant: Tenant, given: str) -> str:
        number = phones.e164(given, tenant.country)
        if number is None:
            raise invalid([FieldError("/phone", "invalid_phone", "This is not a phone number.")])
        return number


def _begins(term: str) -> Q:
    if term.startswith("+"):
        return Q(~Q(phone=""), phone__startswith=term)
    return Q(external_id__startswith=term) | Q(~Q(email=""), email__startswith=term)


class RecipientListView(APIView):
    permission_classes = [HasScope]
    scopes: ClassVar = {"GET": "recipients:read"}
    throttle_group = "recipients"

    @extend_schema(
        operation_id="recipients_list",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("email", str, description="Whole, in whatever case."),
            OpenApiParameter("phone", str, description="Whole; without + as in the tenant's country."),
            OpenApiParameter("type", str),
            OpenApiParameter("updated_since", str, description="RFC 3339, inclusive"),
            OpenApiParameter("q", str, description="How an id, an email address or, with +, a phone begins."),
        ],
        responses=page_schema(RecipientDocument),
    )
    def get(self, request: Request) -> Response:
        """The recipients that all the filters let through, the newest first."""
        assert isinstance(request.user, Service)
        tenant = request.user.tenant
        given = {name: value for name, value in request.query_params.items() if name not in _PAGING}
        wanted = validate(RecipientFilter, given)
        with tenant_scope(tenant.pk):
            page = paginate(request, wanted.of(tenant).prefetch_related("devices"))
            return Response(page.body(lambda row: RecipientDocument.of(row).model_dump()))


_PAGING = {"limit", "cursor"}


class _Envelope(RequestModel):
    recipients: Annotated[list[Any], Field(min_length=1, max_length=bulk.AT_ONCE)]


class BulkBody(RequestModel):
    """Each with its id."""

    recipients: Annotated[list[RecipientFields], Field(min_length=1, max_length=bulk.AT_ONCE)]


class RejectedRecipient(BaseModel):
    index: int
    code: str
    detail: str
    pointer: str


class BulkAnswer(BaseModel):
    """Of the rejected the first thousand are told."""

    accepted: int
    rejected_total: int
    rejected: list[RejectedRecipient]


_HIDDEN = extend_schema(exclude=True)


@extend_schema_view(get=_HIDDEN, put=_HIDDEN, patch=_HIDDEN, delete=_HIDDEN)
class BulkView(RecipientView):
    """By the other methods it is the recipient whose id is `bulk`."""

    scopes = {**RecipientView.scopes, "POST": "recipients:write"}

    def get_parsers(self) -> list[Any]:
        is_bulk = getattr(self.request, "method", "") == "POST"  # there is no request when the schema is made
        return [ItemsParser(), JsonLinesParser()] if is_bulk else super().get_parsers()

    @extend_schema(
        operation_id="recipients_bulk",
        request={"application/json": BulkBody, "application/x-ndjson": OpenApiTypes.STR},
        responses=BulkAnswer,
    )
    def post(self, request: Request, **url: str) -> Response:
        """Store up to 1,000 recipients, or as many as there are lines, one JSON object each.

        What is given overwrites, what is not stays, devices are added: it may be repeated. Bad ones do not
        spoil good ones. Of two descriptions of one recipient the later wins, field by field.
        """
        assert isinstance(request.user, Service)
        given: Any = request.data
        if isinstance(given, Items):
            documents = validate(_Envelope, given.document).recipients
            items = bulk.listed(documents, "/recipients", is_suspicious=given.suspicious)
        else:
            items = bulk.lines(given or b"")
        return Response(asdict(bulk.upsert(request.user.tenant, items)))
