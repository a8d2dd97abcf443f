"""Many at a time: the batch, its chunks, its state."""

from __future__ import annotations

from typing import Annotated, Any, cast
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from notifications import batches, reading
from notifications.api import schemas
from notifications.api.services import IDEMPOTENCY_HEADER, ServiceView
from notifications.batches import Items
from notifications.cancellation import cancel_batch
from notifications.idempotency import Answer
from notifications.models import Batch, Notification
from notifications.requests import MAX_ITEMS, NewItem, Wording
from tenants.context import tenant_scope
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsers import Items as ItemsBody
from tenants.parsers import ItemsParser
from tenants.parsing import RequestModel, validate

Documents = Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)]
Expected = Annotated[int, Field(ge=1, le=100_000_000)]


class NotificationsBody(RequestModel):
    """Each notification by itself."""

    notifications: Annotated[list[NewItem], Field(min_length=1, max_length=MAX_ITEMS)]
    total_expected: Expected | None = None


class RecipientsBody(Wording):
    """One wording for many recipients."""

    recipients: Documents
    total_expected: Expected | None = None


class ChunkBody(RequestModel):
    batch_id: UUID
    batch_token: Annotated[str, Field(max_length=200)]
    chunk: Annotated[int, Field(ge=0, lt=2**31)]
    notifications: Documents


class _Envelope(RequestModel):
    """The batch around its items, which are validated one by one."""

    notifications: Documents
    total_expected: Expected | None = None


_BATCH_BODY = PolymorphicProxySerializer("BatchBody", [NotificationsBody, RecipientsBody], None)  # type: ignore[list-item]


class SendBatchView(ServiceView):
    scopes = {"POST": "notifications:send"}
    parser_classes = [ItemsParser]

    @extend_schema(
        operation_id="send_batch",
        request=_BATCH_BODY,
        responses={202: schemas.BatchAccepted},
        parameters=[IDEMPOTENCY_HEADER],
        tags=["batches"],
    )
    def post(self, request: Request) -> Response:
        """Accept up to 1,000 notifications, or one wording for up to 1,000 recipients.

        Bad ones do not spoil good ones.
        """
        _ = request.body
        items, expected = _items(cast("ItemsBody", request.data))
        is_test = self.caller.is_test
        return self.once(
            request,
            lambda: Answer(202, batches.create(self.tenant, items, total_expected=expected, is_test=is_test)),
        )


def _items(body: ItemsBody) -> tuple[Items, int | None]:
    """The items, and how many the batch is to have in the end."""
    document = body.document
    if isinstance(document, dict) and "recipients" in document:
        wording = validate(RecipientsBody, document)
        shared = {
            key: value for key, value in document.items() if key not in ("recipients", "total_expected")
        }
        documents = [{**shared, "recipient": recipient} for recipient in wording.recipients]
        return Items(documents, "/recipients", body.suspicious), wording.total_expected
    envelope = validate(_Envelope, document)
    return Items(envelope.notifications, "/notifications", body.suspicious), envelope.total_expected


class SendChunkView(ServiceView):
    scopes = {"POST": "notifications:send"}
    parser_classes = [ItemsParser]

    @extend_schema(
        operation_id="send_chunk", request=ChunkBody, responses={202: schemas.BatchAccepted}, tags=["batches"]
    )
    def post(self, request: Request) -> Response:
        """Accept the next chunk of a batch. A chunk number seen before is answered again, not sent again."""
        given = cast("ItemsBody", request.data)
        body = validate(ChunkBody, given.document)
        items = Items(body.notifications, "/notifications", given.suspicious)
        answer = batches.add_chunk(
            self.tenant, body.batch_id, body.batch_token, body.chunk, items, is_test=self.caller.is_test
        )
        return Response(answer, 202)


class BatchView(ServiceView):
    scopes = {"GET": "notifications:read", "DELETE": "notifications:send"}

    @extend_schema(operation_id="get_batch", responses={200: schemas.Batch}, tags=["batches"])
    def get(self, request: Request, id: UUID) -> Response:
        """The batch's state and how many of its notifications have which status."""
        with tenant_scope(self.tenant.pk):
            return Response(reading.batch(batches.find(self.tenant, id)))

    @extend_schema(operation_id="cancel_batch", responses={200: schemas.Batch}, tags=["batches"])
    def delete(self, request: Request, id: UUID) -> Response:
        """Cancel what of the batch has not left."""
        with tenant_scope(self.tenant.pk):
            batch = batches.find(self.tenant, id)
        cancel_batch(batch)
        with tenant_scope(self.tenant.pk):
            return Response(reading.batch(Batch.objects.get(pk=batch.pk)))


class BatchNotificationsView(ServiceView):
    scopes = {"GET": "notifications:read"}

    @extend_schema(
        operation_id="list_batch_notifications",
        responses={200: page_schema(schemas.NotificationSummary)},
        parameters=[*PAGE_PARAMETERS],
        tags=["batches"],
    )
    def get(self, request: Request, id: UUID) -> Response:
        """The batch's notifications, newest first."""
        with tenant_scope(self.tenant.pk):
            batches.find(self.tenant, id)
            rows = Notification.objects.filter(tenant_id=self.tenant.pk, batch_id=id)
            return Response(paginate(request, rows).body(reading.summary))
