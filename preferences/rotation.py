"""Hashing suppressions anew, after a key was put before another.

That takes the address, and the only place that may still know it is the directory. What was suppressed for
somebody who has left it stays under its key until they are suppressed once more, or for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Count

from preferences import keyed
from preferences.addresses import ADDRESS_FIELD
from preferences.models import Recipient, Suppression
from preferences.suppressions import Address, rekey
from tenants.context import installation_scope, tenant_scope

_AT_ONCE = 1_000


def rotate(tenant_id: UUID) -> int:
    """Hash anew, under the first key, what the tenant's directory knows the addresses of; how many rows."""
    return sum(_rekey(tenant_id, addresses) for addresses in _directory(tenant_id))


def _rekey(tenant_id: UUID, addresses: list[Address]) -> int:
    with tenant_scope(tenant_id):
        return rekey([tenant_id], addresses)


def _directory(tenant_id: UUID) -> Iterator[list[Address]]:
    """The addresses of so many recipients at a time."""
    fields = sorted(set(ADDRESS_FIELD.values()))
    after = UUID(int=0)
    while True:
        with tenant_scope(tenant_id):
            rows = Recipient.objects.filter(tenant_id=tenant_id, pk__gt=after).order_by("pk")
            found = list(rows.values("pk", *fields)[:_AT_ONCE])
        if not found:
            return
        after = found[-1]["pk"]
        yield [
            (channel, row[field]) for row in found for channel, field in ADDRESS_FIELD.items() if row[field]
        ]


def left() -> set[str]:
    """The ids of the keys that hashes of any tenant are kept under."""
    with installation_scope():
        return set(Suppression.objects.order_by("key_id").values_list("key_id", flat=True).distinct())


def behind() -> dict[str, int]:
    """How many hashes are kept under each key but the first."""
    former = Suppression.objects.exclude(key_id=next(iter(keyed.ring())))
    with installation_scope():
        return dict(former.order_by("key_id").values_list("key_id").annotate(Count("pk")))
