"""What notifications keep of people, and in which order all that is kept is told and erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT

import delivery.holdings
import preferences.holdings
from delivery.models import StoredFile
from notifications.models import Digest, Feed, FeedItem, FrequencyPlaces, IdempotencyKey, Notification
from tenants.holdings import Holding, Subject
from tenants.ids import made_at

Ids = Sequence[UUID]
"""Of notifications."""


def _notifications(ids: Ids) -> QuerySet[Notification]:
    return Notification.objects.filter(pk__in=ids)


def _digests(ids: Ids) -> QuerySet[Digest]:
    """Closed ones: one that is open may be joined by somebody new of the same id."""
    return Digest.objects.filter(
        pk__in=_notifications(ids).exclude(digest_id=None).values("digest_id"), closed_at__isnull=False
    )


def _answers(ids: Ids) -> QuerySet[IdempotencyKey]:
    """The answers that named these notifications, those of a day: older ones are forgotten anyway."""
    tenants = _notifications(ids).order_by().values("tenant").distinct()
    since = made_at(min(ids)) if ids else None
    rows = IdempotencyKey.objects.filter(tenant__in=tenants)
    rows = rows.filter(created_at__gte=since) if since else rows.none()
    return rows.alias(answered=KT("body__id")).filter(answered__in=map(str, ids))


def _files(ids: Ids) -> QuerySet[StoredFile]:
    rows = _notifications(ids).filter(overrides__email__attachments__isnull=False)
    tenants, listed = set(), set()
    for tenant_id, files in rows.values_list("tenant_id", "overrides__email__attachments"):
        tenants.add(tenant_id)
        listed |= {file["sha256"] for file in files or () if "sha256" in file}
    return StoredFile.objects.filter(tenant__in=tenants, sha256__in=listed)


def _feed_items(subject: Subject) -> QuerySet[FeedItem]:
    return FeedItem.objects.filter(recipient_id__in=subject.recipient_ids)


def _feeds(subject: Subject) -> QuerySet[Feed]:
    return Feed.objects.filter(recipient_id__in=subject.recipient_ids)


def _frequency(subject: Subject) -> QuerySet[FrequencyPlaces]:
    return FrequencyPlaces.objects.filter(recipient_id__in=subject.recipient_ids)


NOTIFICATIONS = Holding(
    "notifications",
    Notification,
    _notifications,
    cleared={
        "recipient_external_id": "",
        "recipient_once": None,
        "data": {},
        "content": None,
        "action": None,
        "reference": "",
        "metadata": {},
        "overrides": {},
        "digest": None,
        "places": None,
        "trace": [],
    },
    stays=frozenset({"recipient_type", "template_code", "channels", "category", "type", "status", "reason"}),
)
DIGESTS = Holding(
    "digests",
    Digest,
    _digests,
    cleared={"recipient_external_id": "", "key": ""},
    stays=frozenset({"recipient_type", "window"}),
)
ANSWERS = Holding(
    "idempotency_keys",
    IdempotencyKey,
    _answers,
    cleared={"body": RawSQL("""body || '{"reference": ""}'""", [])},
    stays=frozenset({"key", "request_hash"}),
)
FILES = Holding("attachments", StoredFile, _files)
FEED_ITEMS = Holding("feed_items", FeedItem, _feed_items)
FEEDS = Holding("feeds", Feed, _feeds)
FREQUENCY = Holding("frequency", FrequencyPlaces, _frequency)

OF_PEOPLE: list[Holding[Subject, Any]] = [
    preferences.holdings.RECIPIENTS,
    *preferences.holdings.BELONGINGS,
    preferences.holdings.SUPPRESSIONS,
    preferences.holdings.LOG,
    delivery.holdings.REPLIES,
    FEED_ITEMS,
    FEEDS,
    FREQUENCY,
]
OF_NOTIFICATIONS: list[Holding[Ids, Any]] = [
    delivery.holdings.ATTEMPTS,
    delivery.holdings.RECEIPTS,
    delivery.holdings.DELIVERIES,
    ANSWERS,
    DIGESTS,
    NOTIFICATIONS,
]
"""The notifications last: by them the others are found."""
EVERY: list[Holding[Any, Any]] = [*OF_PEOPLE, *OF_NOTIFICATIONS, FILES]
