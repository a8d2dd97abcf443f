"""What operators look at: `/api/v1/admin/deliveries`, `/stats`, `/notifications`."""

from __future__ import annotations

import logging
from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from delivery.models import Attempt, Delivery
from notifications import reading, reports
from notifications.api import schemas
from notifications.api.services import LIST_PARAMETERS, filtered
from notifications.models import Notification
from notifications.reports import DeliveryFilter, DeliveryReport, Stats, StatsFilter
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate
from tenants.problems import Problem

logger = logging.getLogger(__name__)

_PAGING = {"limit", "cursor", "reveal"}
REVEAL = OpenApiParameter("reveal", bool, description="Show whole addresses, to those who may see them.")
PERIOD = [
    OpenApiParameter("from", str, description="RFC 3339, inclusive"),
    OpenApiParameter("to", str, description="RFC 3339, exclusive"),
]
FILTERS = [
    *PERIOD,
    *(OpenApiParameter(name, str) for name in ("status", "channel", "provider", "recipient", "reason")),
]


class DeliveriesView(OperatorView):
    permissions: ClassVar = {"GET": "delivery.view_delivery", "POST": "delivery.change_delivery"}

    def delivery(self, id: UUID) -> Delivery:
        found = Delivery.objects.filter(tenant_id=self.tenant_id, pk=id).first()
        if found is None:
            raise Problem(404, "not_found", "There is no such delivery.")
        return found

    def reveals(self, request: Request) -> bool:
        """Whether addresses are to be shown whole. Who asks for it is written down."""
        if request.query_params.get("reveal", "").lower() not in {"1", "true"}:
            return False
        if not self.operator.user.has_perm("delivery.reveal_address"):
            raise Problem(403, "permission_denied", "You may see addresses only masked.")
        about = {"user": self.operator.user.pk, "tenant": self.tenant_id, "path": request.path}
        logger.info("addresses are revealed", extra=about)
        return True

    def wanted(self, request: Request) -> DeliveryFilter:
        given = {name: value for name, value in request.query_params.items() if name not in _PAGING}
        return validate(DeliveryFilter, given)


class DeliveryListView(DeliveriesView):
    @extend_schema(
        operation_id="admin_list_deliveries",
        parameters=[*PAGE_PARAMETERS, *FILTERS, REVEAL],
        responses=page_schema(DeliveryReport),
        tags=["operators"],
    )
    def get(self, request: Request) -> Response:
        """Newest first. Addresses are masked."""
        reveal = self.reveals(request)
        with tenant_scope(self.tenant_id):
            page = paginate(request, self.wanted(request).of(self.tenant_id))
            shown = iter(reports.shown(page.rows, reveal=reveal))
            return Response(page.body(lambda _: next(shown).model_dump()))


class DeliveryCsvView(DeliveriesView):
    @extend_schema(
        operation_id="admin_export_deliveries",
        parameters=[*FILTERS, REVEAL],
        responses={(200, "text/csv"): OpenApiTypes.STR},
        tags=["operators"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """As a file, streamed: it takes as long as it is, and no more memory than a page."""
        body = reports.as_csv(self.tenant_id, self.wanted(request), reveal=self.reveals(request))
        name = f"deliveries-{self.operator.tenant.slug}-{timezone.now():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)


class DeliveryDetail(DeliveryReport):
    attempts_made: list[schemas.Attempt]


class DeliveryView(DeliveriesView):
    @extend_schema(
        operation_id="admin_get_delivery", parameters=[REVEAL], responses=DeliveryDetail, tags=["operators"]
    )
    def get(self, request: Request, id: UUID) -> Response:
        """With every attempt."""
        reveal = self.reveals(request)
        with tenant_scope(self.tenant_id):
            row = self.delivery(id)
            (report,) = reports.shown([row], reveal=reveal)
            made = Attempt.objects.filter(delivery_id=row.pk).order_by("started_at", "id")
            attempts = [reading.attempt(attempt) for attempt in made]
        return Response({**report.model_dump(), "attempts_made": attempts})


class StatsView(DeliveriesView):
    @extend_schema(
        operation_id="admin_stats",
        parameters=[*PERIOD, OpenApiParameter("by", str, enum=["channel", "provider", "template", "hour"])],
        responses=Stats,
        tags=["operators"],
    )
    def get(self, request: Request) -> Response:
        """How many deliveries of a period have which status; the last day unless told otherwise."""
        wanted = validate(StatsFilter, dict(request.query_params.items()))
        found = reports.stats(self.tenant_id, wanted, now=timezone.now())
        return Response(found.model_dump(by_alias=True))


class NotificationListView(OperatorView):
    permissions: ClassVar = {"GET": "notifications.view_notification"}

    @extend_schema(
        operation_id="admin_list_notifications",
        parameters=LIST_PARAMETERS,
        responses=page_schema(schemas.NotificationSummary),
        tags=["operators"],
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        with tenant_scope(self.tenant_id):
            rows = filtered(Notification.objects.filter(tenant_id=self.tenant_id), request)
            return Response(paginate(request, rows).body(reading.summary))


class NotificationView(OperatorView):
    permissions: ClassVar = {"GET": "notifications.view_notification"}

    @extend_schema(
        operation_id="admin_get_notification", responses=schemas.NotificationDetail, tags=["operators"]
    )
    def get(self, request: Request, id: UUID) -> Response:
        """With its deliveries, their attempts, and the trace of every decision."""
        with tenant_scope(self.tenant_id):
            found = Notification.objects.filter(tenant_id=self.tenant_id, pk=id).first()
            if found is None:
                raise Problem(404, "not_found", "There is no such notification.")
            document: dict[str, Any] = reading.detail(found)
        return Response(document)
