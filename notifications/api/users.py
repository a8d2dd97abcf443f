"""What a recipient may ask about their own notifications. Another's are not there: 404."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import AwareDatetime, BaseModel, Field
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import changes
from notifications.mailbox import Filter, Mailbox, items, mailbox, show, stats, unread_count
from notifications.models import NotificationType
from notifications.realtime.frames import Address
from notifications.realtime.push import publish_on_commit
from preferences.channels import CHANNELS
from tenants.authentication import RecipientIdentity, RecipientTokenAuthentication
from tenants.context import tenant_scope
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import RequestModel, validate

Params = ParamSpec("Params")

FeedType = Literal["info", "success", "warning", "error", "system"]
FeedStatus = Literal["sent", "delivered"]


class Action(BaseModel):
    url: str
    text: str = ""


class Item(BaseModel):
    """A notification in its recipient's feed. `status` is `delivered` once a client has acknowledged it."""

    id: UUID
    seq: int
    type: FeedType
    category: str
    title: str
    body: str
    action: Action | None
    icon: str
    data: dict[str, Any]
    status: FeedStatus
    created_at: dt.datetime
    seen_at: dt.datetime | None
    read_at: dt.datetime | None
    clicked_at: dt.datetime | None
    archived_at: dt.datetime | None


class UnreadCount(BaseModel):
    count: int


class ManyChanged(BaseModel):
    """How many really changed, and what is unread now."""

    changed: int
    unread_count: int


class Stats(BaseModel):
    total: int
    unread: int
    read: int
    archived: int
    by_type: dict[str, int]
    by_category: dict[str, int]


class ListQuery(RequestModel):
    """The query of the list."""

    status: FeedStatus | None = None
    read: bool | None = None
    archived: bool = False
    category: Annotated[str, Field(max_length=64)] | None = None
    type: FeedType | None = None
    channel: Literal[CHANNELS] | None = None  # type: ignore[valid-type]  # a tuple of literals
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime | None, Field(alias="to")] = None
    limit: str | None = None
    cursor: str | None = None

    def wanted(self) -> Filter:
        return Filter(
            read=self.read,
            archived=self.archived,
            delivered=None if self.status is None else self.status == "delivered",
            type=self.type,
            category=self.category,
            channel=self.channel,
            since=self.since,
            until=self.until,
        )


class IdsBody(RequestModel):
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


LIST_PARAMETERS = [
    OpenApiParameter(
        "status", str, enum=["sent", "delivered"], description="Acknowledged by a client or not."
    ),
    OpenApiParameter("read", bool),
    OpenApiParameter("archived", bool, description="Archived ones instead of the others."),
    OpenApiParameter("category", str),
    OpenApiParameter("type", str, enum=NotificationType.values),
    OpenApiParameter("channel", str, enum=CHANNELS, description="Those that went out by this channel too."),
    OpenApiParameter("from", dt.datetime, description="Created at this time or later."),
    OpenApiParameter("to", dt.datetime, description="Created before this time."),
    *PAGE_PARAMETERS,
]


class FeedView(APIView):
    authentication_classes = [RecipientTokenAuthentication]
    throttle_group = "users"


Handler = Callable[Concatenate[Any, Request, Params], Response]


def of_recipient(
    handler: Callable[Concatenate[Any, Request, Mailbox, Params], Response],
) -> Handler[Params]:
    """Hands the handler the caller's mailbox, in one transaction of their tenant."""

    @wraps(handler)
    def wrapper(view: Any, request: Request, /, *args: Params.args, **kwargs: Params.kwargs) -> Response:
        identity = cast("RecipientIdentity", request.user)
        address = Address(identity.tenant.pk, identity.type, identity.external_id)
        with tenant_scope(address.tenant_id):
            return handler(view, request, mailbox(address), *args, **kwargs)

    return wrapper


class NotificationsView(FeedView):
    @extend_schema(operation_id="my_notifications", parameters=LIST_PARAMETERS, responses=page_schema(Item))
    @of_recipient
    def get(self, request: Request, of: Mailbox) -> Response:
        """The caller's notifications, newest first."""
        query = validate(ListQuery, request.query_params.dict())
        return Response(paginate(request, items(of, query.wanted()), key="seq").body(show))

    @extend_schema(operation_id="delete_my_notifications", request=IdsBody, responses=ManyChanged)
    @of_recipient
    def delete(self, request: Request, of: Mailbox) -> Response:
        """Delete several. Those that are not the caller's are passed over."""
        return _counted(_pushed(changes.delete(of, validate(IdsBody, request.data).ids)))


class NotificationView(FeedView):
    @extend_schema(operation_id="my_notification", responses=Item)
    @of_recipient
    def get(self, request: Request, of: Mailbox, item_id: UUID) -> Response:
        return _item(of, item_id)

    @extend_schema(operation_id="delete_my_notification", responses={204: None})
    @of_recipient
    def delete(self, request: Request, of: Mailbox, item_id: UUID) -> Response:
        if not _pushed(changes.delete(of, [item_id])).ids:
            raise NotFound
        return Response(status=204)


class ChangeView(FeedView):
    """One change to one notification; to make it again changes nothing."""

    change: staticmethod[[Mailbox, Sequence[UUID]], changes.Changed]

    @extend_schema(request=None, responses=Item)
    @of_recipient
    def patch(self, request: Request, of: Mailbox, item_id: UUID) -> Response:
        _pushed(self.change(of, [item_id]))
        return _item(of, item_id)


class SeenView(ChangeView):
    """It stood before the caller's eyes; it stays unread."""

    change = staticmethod(changes.mark_seen)


class ClickedView(ChangeView):
    """The caller followed its action, and so saw it; whether that reads it, the client says."""

    change = staticmethod(changes.mark_clicked)


class ReadView(ChangeView):
    change = staticmethod(changes.mark_read)


class UnreadView(ChangeView):
    change = staticmethod(changes.mark_unread)


class ArchiveView(ChangeView):
    change = staticmethod(changes.archive)


class UnarchiveView(ChangeView):
    change = staticmethod(changes.unarchive)


class ChangeManyView(FeedView):
    """One change to several. Those that are not the caller's are passed over."""

    change: staticmethod[[Mailbox, Sequence[UUID]], changes.Changed]

    @extend_schema(request=IdsBody, responses=ManyChanged)
    @of_recipient
    def post(self, request: Request, of: Mailbox) -> Response:
        return _counted(_pushed(self.change(of, validate(IdsBody, request.data).ids)))


class ManyReceivedView(ChangeManyView):
    """A client has them: their in-app delivery is `delivered`. For clients without a socket to say it on."""

    change = staticmethod(changes.mark_received)


class ManySeenView(ChangeManyView):
    """They stood before the caller's eyes; they stay unread."""

    change = staticmethod(changes.mark_seen)


class UnreadCountView(FeedView):
    @extend_schema(responses=UnreadCount)
    @of_recipient
    def get(self, request: Request, of: Mailbox) -> Response:
        return Response({"count": unread_count(of)})


class MarkAllReadView(FeedView):
    @extend_schema(request=None, responses=ManyChanged)
    @of_recipient
    def post(self, request: Request, of: Mailbox) -> Response:
        return _counted(_pushed(changes.read_all(of)))


class StatsView(FeedView):
    @extend_schema(responses=Stats)
    @of_recipient
    def get(self, request: Request, of: Mailbox) -> Response:
        """Counts of what is in the feed, archived or not."""
        return Response(stats(of))


class PendingView(FeedView):
    @extend_schema(parameters=PAGE_PARAMETERS, responses=page_schema(Item))
    @of_recipient
    def get(self, request: Request, of: Mailbox) -> Response:
        """What no client has acknowledged yet, newest first."""
        return Response(paginate(request, items(of, Filter(delivered=False)), key="seq").body(show))


def _item(of: Mailbox, item_id: UUID) -> Response:
    item = items(of).filter(pk=item_id).first()
    if item is None:
        raise NotFound
    return Response(show(item))


def _counted(changed: changes.Changed) -> Response:
    return Response({"changed": len(changed.ids), "unread_count": changed.unread})


def _pushed(changed: changes.Changed) -> changes.Changed:
    publish_on_commit(changed.frames)
    return changed
