"""What services ask for: send, explain, look, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import idempotency, reading
from notifications.api import schemas
from notifications.cancellation import cancel
from notifications.explaining import explain
from notifications.idempotency import Answer
from notifications.intake import Accepted, accept_one
from notifications.models import Notification, NotificationStatus
from notifications.requests import NewNotification
from tenants.authentication import HasScope, IsAuthenticated, Service
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate
from tenants.problems import FieldError, Problem, invalid

IDEMPOTENCY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters, kept for 24 h.",
)


LIST_PARAMETERS = [
    *PAGE_PARAMETERS,
    OpenApiParameter("status", str, enum=[status.value for status in NotificationStatus]),
    *(OpenApiParameter(name, str) for name in ("category", "recipient", "reference")),
    OpenApiParameter("batch", UUID),
    OpenApiParameter("digest", UUID, description="A digest's events"),
    OpenApiParameter("from", str, description="RFC 3339, inclusive"),
    OpenApiParameter("to", str, description="RFC 3339, exclusive"),
]


class ServiceView(APIView):
    """A view for services: an API key with the scope that `scopes` names for the method."""

    permission_classes: list[type[BasePermission]] = [IsAuthenticated, HasScope]
    scopes: dict[str, str] = {}
    throttle_group = "services"

    @property
    def caller(self) -> Service:
        assert isinstance(self.request.user, Service)
        return self.request.user

    @property
    def tenant(self) -> Tenant:
        return self.caller.tenant

    def once(self, request: Request, work: Callable[[], Answer]) -> Response:
        """Do `work` once for the request's `Idempotency-Key`."""
        key = request.headers.get("Idempotency-Key")
        fingerprint = idempotency.request_hash("POST", request.path, request.body) if key else ""
        answer = idempotency.once(self.tenant, key, fingerprint, work)
        headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, answer.status, headers=headers)


def shown(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": str(accepted.id),
        "status": accepted.status,
        "reference": accepted.reference,
        "created_at": accepted.created_at.isoformat().replace("+00:00", "Z"),
        "send_at": accepted.send_at.isoformat().replace("+00:00", "Z") if accepted.send_at else None,
    }


class SendView(ServiceView):
    scopes = {"POST": "notifications:send"}

    @extend_schema(
        operation_id="send",
        request=NewNotification,
        responses={202: schemas.Accepted},
        parameters=[IDEMPOTENCY_HEADER],
        tags=["notifications"],
    )
    def post(self, request: Request) -> Response:
        """Accept one notification: it is stored when this answers."""
        _ = request.body  # read before it is parsed, for the idempotency key's hash
        body = validate(NewNotification, request.data)
        return self.once(
            request, lambda: Answer(202, shown(accept_one(self.tenant, body, is_test=self.caller.is_test)))
        )


class ExplainView(ServiceView):
    scopes = {"POST": "notifications:send"}

    @extend_schema(
        operation_id="explain",
        request=NewNotification,
        responses={200: schemas.Explanation},
        tags=["notifications"],
    )
    def post(self, request: Request) -> Response:
        """The plan with every decision and its reason, and the rendered words. Nothing is stored."""
        body = validate(NewNotification, request.data)
        return Response(explain(self.tenant, body, is_test=self.caller.is_test))


class NotificationListView(ServiceView):
    scopes = {"GET": "notifications:read"}

    @extend_schema(
        operation_id="list_notifications",
        responses={200: page_schema(schemas.NotificationSummary)},
        parameters=LIST_PARAMETERS,
        tags=["notifications"],
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        with tenant_scope(self.tenant.pk):
            rows = filtered(Notification.objects.filter(tenant_id=self.tenant.pk), request)
            return Response(paginate(request, rows).body(reading.summary))


class NotificationView(ServiceView):
    scopes = {"GET": "notifications:read", "DELETE": "notifications:send"}

    @extend_schema(
        operation_id="get_notification", responses={200: schemas.NotificationDetail}, tags=["notifications"]
    )
    def get(self, request: Request, id: UUID) -> Response:
        """With its deliveries, their attempts, and the trace of every decision."""
        with tenant_scope(self.tenant.pk):
            return Response(reading.detail(self._find(id)))

    @extend_schema(operation_id="cancel_notification", responses={204: None}, tags=["notifications"])
    def delete(self, request: Request, id: UUID) -> Response:
        """Cancel what has not left; 409 when everything has."""
        with tenant_scope(self.tenant.pk):
            self._find(id)
        if not cancel(self.tenant.pk, id):
            raise Problem(409, "already_sent", "Nothing of this notification can be canceled any more.")
        return Response(status=204)

    def _find(self, id: UUID) -> Notification:
        found = Notification.objects.filter(tenant_id=self.tenant.pk, pk=id).first()
        if found is None:
            raise Problem(404, "not_found", "There is no such notification.")
        return found


_EQUAL = {"category": "category", "recipient": "recipient_external_id", "reference": "reference"}
_BOUNDS = {"from": "created_at__gte", "to": "created_at__lt"}


def filtered(rows: QuerySet[Notification], request: Request) -> QuerySet[Notification]:
    """The rows that the query string asks for; a 400 problem for what makes no sense."""
    given = request.query_params
    conditions: dict[str, Any] = {field: given[name] for name, field in _EQUAL.items() if name in given}
    if "status" in given:
        conditions["status"] = _one_of(NotificationStatus.values, "status", given["status"])
    for name in given.keys() & {"batch", "digest"}:
        conditions[f"{name}_id"] = _parsed(UUID, name, given[name])
    for name, lookup in _BOUNDS.items():
        if name in given:
            conditions[lookup] = _parsed(_time, name, given[name])
    return rows.filter(**conditions)


def _one_of(known: list[str], name: str, value: str) -> str:
    if value not in known:
        raise _bad_filter(name, f"?{name}= must be one of {', '.join(known)}.")
    return value


def _parsed(parse: Callable[[str], Any], name: str, value: str) -> Any:
    try:
        return parse(value)
    except ValueError:
        raise _bad_filter(name, f"?{name}= cannot be read.") from None


def _time(text: str) -> Any:
    parsed = parse_datetime(text.replace(" ", "+"))
    if parsed is None or parsed.tzinfo is None:
        raise ValueError(text)
    return parsed


def _bad_filter(name: str, detail: str) -> Problem:
    return invalid([FieldError("", f"invalid_{name}", detail)])
