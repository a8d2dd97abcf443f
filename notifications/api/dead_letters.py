"""What operators set going again: dead letters, by `/api/v1/admin/deliveries/dead-letters` and `/retry`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from drf_spectacular.utils import extend_schema
from pydantic import AwareDatetime, BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from delivery import dead_letters
from notifications.api.operators import DeliveriesView
from notifications.reports import DeliveryFilter
from tenants.context import tenant_scope
from tenants.parsing import RequestModel, validate
from tenants.problems import Problem

MOST = 10_000
"""Dead letters that one request puts back."""


class Pile(BaseModel):
    reason: str
    count: int
    oldest: AwareDatetime
    newest: AwareDatetime


class Piles(BaseModel):
    results: list[Pile]


class DeadLettersView(DeliveriesView):
    @extend_schema(operation_id="admin_dead_letters", responses=Piles, tags=["operators"])
    def get(self, request: Request) -> Response:
        """The failed deliveries by reason, the highest pile first."""
        piles = [asdict(pile) for pile in dead_letters.piles(self.tenant_id)]
        return Response({"results": piles})


class Retried(BaseModel):
    retried: int


class RetryView(DeliveriesView):
    @extend_schema(
        operation_id="admin_retry_delivery", request=None, responses={202: Retried}, tags=["operators"]
    )
    def post(self, request: Request, id: UUID) -> Response:
        """Put a dead letter back at the start of its routes; 409 when it is none."""
        with tenant_scope(self.tenant_id):
            self.delivery(id)
        if not (count := dead_letters.retry(self.tenant_id, [id])):
            raise Problem(409, "not_failed", "This delivery has not failed.")
        return Response({"retried": count}, 202)


class Redrive(RequestModel):
    """Which dead letters, and how fast: `rate` a second, all at once without.

    With `dry_run` they are only counted. `begin` is the `until` of the answer before, to go on at its rate.
    """

    filter: DeliveryFilter = Field(default_factory=lambda: DeliveryFilter.model_validate({}))
    dry_run: bool = False
    rate: Annotated[float, Field(gt=0, le=10_000)] | None = None
    begin: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = MOST


class RedriveAnswer(BaseModel):
    """`count` were put back, or would be; `left` are still failed; the last is due at `until`."""

    count: int
    left: int
    until: AwareDatetime | None = None


class RetryManyView(DeliveriesView):
    @extend_schema(
        operation_id="admin_retry_deliveries",
        request=Redrive,
        responses={200: RedriveAnswer, 202: RedriveAnswer},
        tags=["operators"],
    )
    def post(self, request: Request) -> Response:
        """Put back the dead letters that a filter finds, oldest first; count them first with `dry_run`."""
        asked = validate(Redrive, request.data)
        with tenant_scope(self.tenant_id):
            dead = asked.filter.of(self.tenant_id)
            if asked.dry_run:
                found = dead_letters.failed(dead).count()
                return Response(RedriveAnswer(count=min(found, asked.limit), left=found).model_dump())
        done = dead_letters.retry_slowly(
            self.tenant_id, dead, rate=asked.rate, begin=asked.begin, limit=asked.limit
        )
        answer = RedriveAnswer(count=done.count, left=done.left, until=done.until)
        return Response(answer.model_dump(), 202)
