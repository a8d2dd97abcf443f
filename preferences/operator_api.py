"""What operators may do with suppressions: `/api/v1/admin/suppressions`."""

from __future__ import annotations

import logging
from typing import Annotated, ClassVar, cast
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from preferences import suppressions
from preferences.addresses import spelled
from preferences.channels import CHANNELS
from preferences.models import Suppression
from preferences.suppression_documents import (
    Channel,
    ImportReport,
    NewSuppression,
    Reason,
    SuppressionDocument,
    SuppressionFilter,
)
from preferences.suppression_files import as_csv, csv_lines, json_lines, take_in
from preferences.suppressions import Entry
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsers import CsvParser, JsonLinesParser
from tenants.parsing import RequestModel, validate
from tenants.problems import FieldError, Problem, invalid

logger = logging.getLogger(__name__)

_TAGS = ["suppressions"]
_FILTERS = [
    OpenApiParameter("channel", str, enum=list(CHANNELS)),
    OpenApiParameter("reason", str, enum=Suppression.Reason.values),
    OpenApiParameter("source", str, enum=Suppression.Source.values),
    OpenApiParameter("address", str, description="Whole: only its hash is kept."),
    OpenApiParameter("from", str, description="When it came here: RFC 3339, inclusive"),
    OpenApiParameter("to", str, description="RFC 3339, exclusive"),
]
_PAGING = {"limit", "cursor"}


class SuppressionsView(OperatorView):
    permissions: ClassVar = {
        "GET": "preferences.view_suppression",
        "POST": "preferences.add_suppression",
        "DELETE": "preferences.delete_suppression",
    }

    def wanted(self, request: Request) -> SuppressionFilter:
        given = {name: value for name, value in request.query_params.items() if name not in _PAGING}
        return validate(SuppressionFilter, given)


class SuppressionListView(SuppressionsView):
    @extend_schema(
        operation_id="suppressions_list",
        parameters=[*PAGE_PARAMETERS, *_FILTERS],
        responses=page_schema(SuppressionDocument),
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        with tenant_scope(self.tenant_id):
            page = paginate(request, self.wanted(request).of(self.tenant_id))
        return Response(page.body(lambda row: SuppressionDocument.of(row).model_dump()))

    @extend_schema(
        operation_id="suppressions_add",
        request=NewSuppression,
        responses={200: SuppressionDocument, 201: SuppressionDocument},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """Write no more to this address; 200 when it is suppressed already, as it then is."""
        new = validate(NewSuppression, request.data)
        try:
            address = spelled(new.channel, new.address, self.tenant.country)
        except ValueError as error:
            raise invalid([FieldError("/address", "invalid_address", str(error))]) from None
        reference = new.reference or self.operator.user.get_username()
        entry = Entry(new.channel, address, new.reason, Suppression.Source.OPERATOR, reference)
        is_new = suppressions.suppress(self.tenant_id, [entry]) > 0
        with tenant_scope(self.tenant_id):
            of_channel = Suppression.objects.filter(tenant_id=self.tenant_id, channel=new.channel)
            row = of_channel.filter(suppressions.spelled_as(address)).latest("pk")
        return Response(SuppressionDocument.of(row).model_dump(), 201 if is_new else 200)


class SuppressionView(SuppressionsView):
    @extend_schema(operation_id="suppressions_lift", responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, id: UUID) -> Response:
        """Write to this address again. Ask the person first: a complaint costs more than a lost message."""
        with tenant_scope(self.tenant_id):
            lifted, _ = Suppression.objects.filter(tenant_id=self.tenant_id, pk=id).delete()
        if not lifted:
            raise Problem(404, "not_found", "There is no such suppression.")
        about = {"user": self.operator.user.pk, "tenant": self.tenant_id, "suppression": id}
        logger.info("a suppression is lifted", extra=about)
        return Response(status=204)


class SuppressionCsvView(SuppressionsView):
    @extend_schema(
        operation_id="suppressions_export",
        parameters=_FILTERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
        tags=_TAGS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """As a file, streamed: hashes, masks, reasons. It can be imported where the key is known."""
        body = as_csv(self.tenant_id, self.wanted(request))
        name = f"suppressions-{self.tenant.slug}-{timezone.now():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)


class ImportOptions(RequestModel):
    """What the file does not say. `name` is kept with each suppression."""

    channel: Channel | None = None
    reason: Reason | None = None
    name: Annotated[str, StringConstraints(max_length=200)] = "import"


class SuppressionImportView(SuppressionsView):
    parser_classes = [CsvParser, JsonLinesParser]

    @extend_schema(
        operation_id="suppressions_import",
        parameters=[*_FILTERS[:2], OpenApiParameter("name", str, description="Kept with each of them.")],
        request={"text/csv": OpenApiTypes.STR, "application/x-ndjson": OpenApiTypes.STR},
        responses=ImportReport,
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """Suppress a list: CSV with a first line of names, or a JSON object a line.

        Columns: `channel`, `address` or `key` and `hash` (as another installation's export has them), `mask`,
        `reason`, `source`, `since`. Bad lines do not spoil good ones.
        """
        options = validate(ImportOptions, dict(request.query_params.items()))
        given = options.model_dump(exclude={"name"}, exclude_none=True)
        read = csv_lines if str(request.content_type).startswith("text/csv") else json_lines
        body = read(cast("bytes", request.data or b""))  # without a body no parser is asked
        report = take_in(self.tenant, body, name=options.name, given=given)
        return Response(report.model_dump())
