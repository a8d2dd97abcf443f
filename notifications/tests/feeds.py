"""Putting things into feeds, as settling does."""

from typing import Any

from django.utils import timezone

from notifications import feed
from notifications.feed import NewItem
from notifications.mailbox import Mailbox, mailbox
from notifications.realtime.frames import Address, Frame
from notifications.realtime.push import publish_on_commit
from preferences.models import Recipient
from tenants.context import tenant_scope
from tenants.ids import new_id


def new_item(recipient: Recipient, **over: Any) -> NewItem:
    fields = {
        "id": new_id(),
        "recipient_id": recipient.pk,
        "type": "info",
        "category": "transactional",
        "title": "Your order is on its way",
        "body": "It arrives tomorrow.",
        "action": {"url": "https://shop.example/orders/17", "text": "View order"},
        "data": {"order": "A-17"},
        "created_at": timezone.now(),
    }
    return NewItem(**{**fields, **over})


def tell(recipient: Recipient, *items: NewItem) -> list[Frame]:
    """Store the items, or one of no importance, and push them."""
    with tenant_scope(recipient.tenant_id):
        frames = feed.store(recipient.tenant_id, items or [new_item(recipient)])
        publish_on_commit(frames)
    return frames


def address_of(recipient: Recipient) -> Address:
    return Address(recipient.tenant_id, recipient.type, recipient.external_id)


def mailbox_of(recipient: Recipient) -> Mailbox:
    return mailbox(address_of(recipient))
