"""What the directory keeps of people. All that hangs on a recipient's row is found, and goes, with it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import CASCADE, Model, Q, QuerySet

from preferences import keyed
from preferences.models import Recipient, Suppression
from tenants.holdings import Holding, Subject


def _recipients(subject: Subject) -> QuerySet[Recipient]:
    return Recipient.objects.filter(tenant_id=subject.tenant_id, pk__in=subject.recipient_ids)


def _belongings(subject: Subject, *, relation: Any) -> QuerySet[Model]:
    rows: QuerySet[Model] = relation.related_model.objects.all()
    return rows.filter(**{f"{relation.field.name}__in": subject.recipient_ids})


def _suppressions(subject: Subject) -> QuerySet[Suppression]:
    found = Q(pk__in=[])
    for channel, address in subject.addresses:
        hashes = [digest.value for digest in keyed.of_address(channel, address)]
        found |= Q(channel=channel, address_hash__in=hashes)
    return Suppression.objects.filter(found, tenant_id=subject.tenant_id)


def _log(subject: Subject) -> QuerySet[LogEntry]:
    """What the staff did to the recipient's page, where its id stands as its name."""
    about = ContentType.objects.get_for_model(Recipient)
    return LogEntry.objects.filter(content_type=about, object_id__in=map(str, subject.recipient_ids))


RECIPIENTS = Holding("recipients", Recipient, _recipients)
BELONGINGS: list[Holding[Subject, Any]] = [
    Holding(
        str(relation.related_model._meta.verbose_name_plural).replace(" ", "_"),
        relation.related_model,
        partial(_belongings, relation=relation),
    )
    for relation in Recipient._meta.related_objects
    if relation.on_delete is CASCADE
]
"""Deleted with the recipient."""

SUPPRESSIONS = Holding(
    "suppressions",
    Suppression,
    _suppressions,
    cleared={"mask": "", "reference": ""},
    stays=frozenset({"channel", "address_hash", "key_id", "reason", "source"}),
)
LOG = Holding(
    "admin_log",
    LogEntry,
    _log,
    cleared={"object_repr": "erased", "change_message": ""},
    stays=frozenset({"object_id", "user"}),
)
