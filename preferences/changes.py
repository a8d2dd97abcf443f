"""Telling that the rules about somebody have changed: what was decided by the former ones is decided again.

Each recipient, and each tenant, counts its changes. What is planned keeps both numbers, so that whoever sends
it sees whether they are still the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection
from django.db.models import F

from preferences.models import Recipient
from preferences.signals import preferences_changed
from tenants.bulk import uuid_array
from tenants.models import Tenant


def stamp(tenant_version: int, recipient_version: int) -> int:
    """Both numbers as one, to be kept with what was decided by them; a stranger's is 0."""
    return tenant_version << 32 | recipient_version


def of_recipients(tenant_id: UUID, recipient_ids: Sequence[UUID]) -> None:
    """Something about these, whose rows the caller has locked, in the transaction of the change."""
    changed = Recipient.objects.filter(tenant_id=tenant_id, pk__in=recipient_ids)
    changed.update(preferences_version=F("preferences_version") + 1)
    preferences_changed.send(Recipient, tenant_id=tenant_id, recipient_ids=recipient_ids)


def of_tenant(tenant_id: UUID) -> None:
    """A category, or a rule of the tenant's own; in the transaction of the change."""
    Tenant.objects.filter(pk=tenant_id).update(rules_version=F("rules_version") + 1)
    preferences_changed.send(Recipient, tenant_id=tenant_id, recipient_ids=None)


_VERSIONS = "SELECT id, preferences_version FROM preferences_recipient WHERE id = ANY(%s::uuid[])"


def versions(recipient_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many changes there were about each of these; who is not there any more is left out."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, [uuid_array(recipient_ids)])
        return dict(cursor.fetchall())


_HOLD = f"{_VERSIONS} ORDER BY type, external_id FOR SHARE"


def hold(recipient_ids: Iterable[UUID]) -> dict[UUID, int]:
    """As `versions`, and nobody changes anything about them until the transaction ends.

    In the order in which `directory.merge` locks them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [uuid_array(recipient_ids)])
        return dict(cursor.fetchall())
