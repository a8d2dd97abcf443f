"""What a recipient may ask about their own notifications. Another's are not there: 404."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import changes
from notifications.api.user_bodies import (
    LIST_PARAMETERS,
    IdsBody,
    Item,
    ListQuery,
    ManyChanged,
    Stats,
    UnreadCount,
)
from notifications.mailbox import Filter, Mailbox, items, mailbox, show, stats, unread_count
from notifications.realtime.frames import Address
from notifications.realtime.push import publish_on_commit
from tenants.authentication import RecipientIdentity, RecipientTokenAuthentication
from tenants.context import tenant_scope
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import validate

Params = ParamSpec("Params")


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
