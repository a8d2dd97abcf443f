"""What delivery keeps of people: where to, with which words, and what vendors and they themselves said of it.

A delivery that was erased has no address any more, by which it is known: nothing sends it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from delivery.inbound import hearers
from delivery.models import Attempt, Delivery, ProviderAccount, Receipt, Reply
from tenants.holdings import Holding, Subject

Ids = Sequence[UUID]
"""Of notifications."""


def _deliveries(ids: Ids) -> QuerySet[Delivery]:
    return Delivery.objects.filter(notification_id__in=ids)


def _attempts(ids: Ids) -> QuerySet[Attempt]:
    return Attempt.objects.filter(delivery_id__in=_deliveries(ids).values("pk"))


def _receipts(ids: Ids) -> QuerySet[Receipt]:
    return Receipt.objects.filter(delivery_id__in=_deliveries(ids).values("pk"))


def _replies(subject: Subject) -> QuerySet[Reply]:
    """To the tenant's accounts, and to those of the installation that no other tenant sends by."""
    shared = ProviderAccount.objects.filter(tenant=None, channel__in=["sms", "whatsapp"])
    own = [row.pk for row in shared if [tenant.pk for tenant in hearers(row)] == [subject.tenant_id]]
    told = Q(tenant_id=subject.tenant_id) | Q(tenant=None, account_id__in=own)
    return Reply.objects.filter(told, sender__in=subject.by("sms", "whatsapp"))


_CHANNELS_ONLY = """(
    SELECT jsonb_agg(jsonb_build_array(way.told->0, '') ORDER BY way.place)
      FROM jsonb_array_elements(routes) WITH ORDINALITY AS way(told, place)
)"""
_EVENT_HASH = "encode(sha256(convert_to(event_id, 'UTF8')), 'hex')"
"""What `receipts.erased_event` makes of it."""

ATTEMPTS = Holding(
    "attempts",
    Attempt,
    _attempts,
    cleared={"detail": "", "provider_message_id": "", "part_ids": []},
    stays=frozenset(
        {"channel", "provider", "account_name", "chosen_because", "outcome", "code", "next_step"}
    ),
)
RECEIPTS = Holding(
    "receipts",
    Receipt,
    _receipts,
    cleared={"detail": "", "provider_message_id": "", "event_id": RawSQL(_EVENT_HASH, [])},  # noqa: S611  a constant
    stays=frozenset({"status", "kind", "code"}),
)
DELIVERIES = Holding(
    "deliveries",
    Delivery,
    _deliveries,
    cleared={
        "recipient_id": None,
        "address": "",
        "routes": RawSQL(_CHANNELS_ONLY, []),  # noqa: S611  a constant
        "payload": {"data": {}},
        "detail": "",
        "escalate_at": None,
    },
    stays=frozenset(
        {"category", "status", "reason", "channel", "locale", "unknown_policy", "spent_accounts"}
    ),
)
REPLIES = Holding(
    "replies",
    Reply,
    _replies,
    cleared={"sender": "", "text": ""},
    stays=frozenset({"channel", "event_id", "to", "wish"}),
)
