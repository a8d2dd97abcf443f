"""Reading a recipient's feed: whose it is, what is in it, how it looks to clients."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from delivery.models import Delivery
from notifications.models import Feed, FeedItem
from notifications.realtime.frames import Address
from preferences.models import Recipient


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whose feed. `recipient_id` is None as long as nobody has told us of them: theirs is empty."""

    address: Address
    recipient_id: UUID | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items of a feed. None is any; archived items show only when asked for."""

    read: bool | None = None
    archived: bool = False
    delivered: bool | None = None
    type: str | None = None
    category: str | None = None
    channel: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def mailbox(address: Address) -> Mailbox:
    known = Recipient.objects.filter(
        tenant_id=address.tenant_id, type=address.type, external_id=address.external_id
    )
    return Mailbox(address, known.values_list("pk", flat=True).first())


def _known(of: Mailbox) -> list[UUID]:
    return [] if of.recipient_id is None else [of.recipient_id]


def position(of: Mailbox) -> tuple[int, int]:
    """The last `seq` given out, and how many are unread. Read off the feed's row, never counted."""
    row = Feed.objects.filter(recipient_id__in=_known(of)).values_list("seq", "unread").first()
    return row or (0, 0)


def unread_count(of: Mailbox) -> int:
    return position(of)[1]


def show(item: FeedItem) -> dict[str, Any]:
    """An item as clients see it, in answers and in frames."""
    return {
        "id": item.pk,
        "seq": item.seq,
        "type": item.type,
        "category": item.category,
        "title": item.title,
        "body": item.body,
        "action": item.action,
        "icon": item.icon,
        "data": item.data,
        "status": "sent" if item.delivered_at is None else "delivered",
        "created_at": item.created_at,
        "seen_at": item.seen_at,
        "read_at": item.read_at,
        "clicked_at": item.clicked_at,
        "archived_at": item.archived_at,
    }


def items(of: Mailbox, wanted: Filter | None = None) -> QuerySet[FeedItem]:
    """The items of one feed, without those deleted. Order and slice by `seq`: it is indexed."""
    mine = FeedItem.objects.filter(
        tenant_id=of.address.tenant_id, recipient_id__in=_known(of), deleted_at=None
    )
    if wanted is None:
        return mine
    if wanted.channel not in {None, "in_app"}:
        mine = mine.filter(
            Exists(Delivery.objects.filter(notification_id=OuterRef("pk"), channel=wanted.channel))
        )
    return mine.filter(_condition(wanted))


def _condition(wanted: Filter) -> Q:
    flags = {"read_at": wanted.read, "delivered_at": wanted.delivered, "archived_at": wanted.archived}
    values = {
        "type": wanted.type,
        "category": wanted.category,
        "created_at__gte": wanted.since,
        "created_at__lt": wanted.until,
    }
    set_or_not = {f"{name}__isnull": not flag for name, flag in flags.items() if flag is not None}
    return Q(**set_or_not, **{name: value for name, value in values.items() if value is not None})


def missed(of: Mailbox, after: int, limit: int) -> list[FeedItem]:
    """What came after the item numbered `after`, in order."""
    return list(items(of).filter(seq__gt=after).order_by("seq")[:limit])


def latest_unread(of: Mailbox, limit: int) -> list[FeedItem]:
    """The newest unread items, in order."""
    return list(items(of, Filter(read=False)).order_by("-seq")[:limit])[::-1]


def page(of: Mailbox, limit: int, before: int | None) -> list[FeedItem]:
    """What came before the item numbered `before`, newest first, as the API's list has it."""
    older = {} if before is None else {"seq__lt": before}
    return list(items(of, Filter()).filter(**older).order_by("-seq")[:limit])


def stats(of: Mailbox) -> dict[str, Any]:
    """`{"total","unread","read","archived","by_type","by_category"}` of what is in it, archived or not."""
    totals = items(of).aggregate(total=Count("pk"), read=Count("read_at"), archived=Count("archived_at"))
    grouped = {f"by_{name}": _count_by(of, name) for name in ("type", "category")}
    return {**totals, "unread": unread_count(of), **grouped}


def _count_by(of: Mailbox, column: str) -> dict[str, int]:
    rows = items(of).order_by(column).values_list(column).annotate(Count("pk"))
    return dict(rows)
