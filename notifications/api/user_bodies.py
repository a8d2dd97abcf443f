"""What the user API takes and answers about notifications."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from pydantic import AwareDatetime, BaseModel, Field

from notifications.mailbox import Filter
from notifications.models import NotificationType
from preferences.channels import CHANNELS
from tenants.pagination import PAGE_PARAMETERS
from tenants.parsing import RequestModel

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
