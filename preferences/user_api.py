"""What a recipient may say for itself: switch a channel, register a device.

All of its preferences at once are in `notifications.api.preferences`.
"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from preferences import recipients, switches
from preferences.addresses import DeviceFields
from preferences.channels import CHANNELS
from preferences.documents import ChannelDocument, DeviceToken, Enabled, PageLink
from preferences.links import Link, preferences_url, seal
from preferences.models import Recipient
from tenants.authentication import RecipientIdentity, RecipientTokenAuthentication
from tenants.parsing import validate
from tenants.problems import Problem


class OwnView(APIView):
    """About the bearer of a recipient token. One who was deleted since finds nothing."""

    authentication_classes = [RecipientTokenAuthentication]
    throttle_group = "users"

    def identity(self, request: Request) -> RecipientIdentity:
        assert isinstance(request.user, RecipientIdentity)
        return request.user

    def recipient(self, request: Request) -> Recipient:
        me = self.identity(request)
        recipient = recipients.find(me.tenant, (me.type, me.external_id))
        if recipient is None:
            raise NotFound
        return recipient


class ChannelView(OwnView):
    @extend_schema(request=Enabled, responses=ChannelDocument)
    def put(self, request: Request, channel: str) -> Response:
        """Switch a channel on or off altogether."""
        if channel not in CHANNELS:
            raise Problem(404, "unknown_channel", f"Channels are {', '.join(CHANNELS)}.")
        enabled = validate(Enabled, request.data).enabled
        switches.set_channel(self.recipient(request), channel, enabled=enabled)
        return Response(ChannelDocument(channel=channel, enabled=enabled).model_dump())


class PageLinkView(OwnView):
    @extend_schema(request=None, responses={201: PageLink})
    def post(self, request: Request) -> Response:
        """A link to the hosted page of one's own preferences, for as long as the token is valid.

        Whoever has it can change them: open it in a browser of the recipient's, and keep it nowhere.
        """
        recipient, until = self.recipient(request), self.identity(request).expires_at
        token = seal(Link(recipient.tenant_id, recipient.pk, until))
        document = PageLink(url=preferences_url(token), expires_at=until)
        return Response(document.model_dump(), status=201)


class OwnDevicesView(OwnView):
    @extend_schema(request=DeviceFields, responses={201: DeviceFields})
    def post(self, request: Request) -> Response:
        """Register this device for push."""
        me = self.identity(request)
        device = validate(DeviceFields, request.data)
        if not recipients.add_device(me.tenant, (me.type, me.external_id), device):
            raise NotFound
        return Response(device.model_dump(), status=201)

    @extend_schema(request=DeviceToken, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Forget this device."""
        me = self.identity(request)
        given = validate(DeviceToken, request.data)
        if not recipients.remove_device(me.tenant, (me.type, me.external_id), given.token):
            raise NotFound
        return Response(status=204)
