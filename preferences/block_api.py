"""What a tenant blocks altogether: `/api/v1/admin/blocks`."""

from __future__ import annotations

import logging
from typing import Annotated, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from preferences import blocks
from preferences.channels import CHANNELS
from preferences.documents import Address
from preferences.models import Recipient
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import RequestModel, validate
from tenants.problems import Problem

logger = logging.getLogger(__name__)

_TAGS = ["blocks"]
_TYPE = OpenApiParameter("type", str, default="user", description="The recipient's type.")


class Block(RequestModel):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Blocks(BaseModel):
    """The reasons, by channel and by category. Recipients are a list of their own."""

    channels: dict[str, str]
    categories: dict[str, str]


class BlockedRecipient(BaseModel):
    id: str
    type: str
    reason: str


class _BlockView(OperatorView):
    """One thing that may be blocked, as the URL names it. To the log go its kind and who blocked it."""

    kind: ClassVar = ""

    def set(self, reason: str) -> bool:
        """Block it, or without a reason lift the block. False when there is no such thing. In the scope."""
        raise NotImplementedError

    @extend_schema(request=Block, responses=Block, tags=_TAGS)
    def put(self, request: Request, **url: str) -> Response:
        """Send nothing from now on, except what is critical. What is waiting is decided again."""
        block = validate(Block, request.data)
        self._set(block.reason)
        return Response(block.model_dump())

    @extend_schema(responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, **url: str) -> Response:
        """Lift the block."""
        self._set("")
        return Response(status=204)

    def _set(self, reason: str) -> None:
        with tenant_scope(self.tenant_id):
            if not self.set(reason):
                raise Problem(404, "not_found", f"There is no such {self.kind}.")
        about = {"user": self.operator.user.pk, "tenant": self.tenant_id, "kind": self.kind}
        logger.info("a block is set" if reason else "a block is lifted", extra=about)


class ChannelBlockView(_BlockView):
    kind = "channel"
    permissions: ClassVar = dict.fromkeys(("PUT", "DELETE"), "tenants.change_tenant")

    def set(self, reason: str) -> bool:
        channel = self.kwargs["channel"]
        if channel not in CHANNELS:
            return False
        blocks.block_channel(self.tenant, channel, reason)
        return True


class CategoryBlockView(_BlockView):
    kind = "category"
    permissions: ClassVar = dict.fromkeys(("PUT", "DELETE"), "preferences.change_category")

    def set(self, reason: str) -> bool:
        return blocks.block_category(self.tenant, self.kwargs["code"], reason)


class RecipientBlockView(_BlockView):
    kind = "recipient"
    permissions: ClassVar = dict.fromkeys(("PUT", "DELETE"), "preferences.change_recipient")

    def set(self, reason: str) -> bool:
        given = {"id": self.kwargs["id"], "type": self.request.query_params.get("type", "user")}
        named = validate(Address, given)
        return blocks.block_recipient(self.tenant, (named.type, named.id), reason)


class BlocksView(OperatorView):
    permissions: ClassVar = {"GET": "preferences.view_category"}

    @extend_schema(operation_id="blocks_list", responses=Blocks, tags=_TAGS)
    def get(self, request: Request) -> Response:
        """The channels and categories that are blocked, and why."""
        with tenant_scope(self.tenant_id):
            tenant = Tenant.objects.get(pk=self.tenant_id)
            found = Blocks(channels=tenant.blocked_channels, categories=blocks.blocked_categories(tenant))
        return Response(found.model_dump())


class BlockedRecipientsView(OperatorView):
    permissions: ClassVar = {"GET": "preferences.view_recipient"}

    @extend_schema(
        operation_id="blocked_recipients_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(BlockedRecipient),
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """The newest recipients first."""
        with tenant_scope(self.tenant_id):
            page = paginate(request, Recipient.objects.filter(tenant_id=self.tenant_id).exclude(block=""))
        return Response(
            page.body(
                lambda row: BlockedRecipient(id=row.external_id, type=row.type, reason=row.block).model_dump()
            )
        )
