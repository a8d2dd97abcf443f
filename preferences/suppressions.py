"""Addresses that must not be written to: hard bounces, complaints, opt-outs. They outlive recipients."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import orjson
from django.db import connection

from preferences.addresses import comparable
from preferences.models import Suppression
from tenants.context import tenant_scope

Address = tuple[str, str]
"""A channel and an address on it."""

_LIFTED_BY_A_WORD = (
    Suppression.Reason.UNSUBSCRIBED,
    Suppression.Reason.INVALID,
    Suppression.Reason.BOUNCED,
)

# LIMIT holds the planner to one index look-up an address.
_FIND = """
    SELECT wanted.channel, wanted.address, found.reason
    FROM json_to_recordset(%s::json) AS wanted (channel varchar, address varchar)
    CROSS JOIN LATERAL (
      SELECT reason FROM preferences_suppression AS suppression
      WHERE suppression.tenant_id = %s
        AND suppression.channel = wanted.channel AND suppression.address = wanted.address
      LIMIT 1
    ) AS found
"""
_LIFT = """
    DELETE FROM preferences_suppression AS suppression
    USING json_to_recordset(%s::json) AS lifted (channel varchar, address varchar)
    WHERE suppression.tenant_id = %s
      AND suppression.channel = lifted.channel AND suppression.address = lifted.address
"""


def among(tenant_id: UUID, addresses: Iterable[Address]) -> dict[Address, str]:
    """Those of the addresses that are suppressed, spelled as given, with the reason.

    One query, in the tenant's scope.
    """
    spelled = {address: (address[0], comparable(*address)) for address in addresses}
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [_document(set(spelled.values())), tenant_id])
        reasons = {(channel, address): reason for channel, address, reason in cursor.fetchall()}
    return (
        {address: reasons[known] for address, known in spelled.items() if known in reasons} if reasons else {}
    )


def suppress(tenant_id: UUID, entries: Iterable[tuple[str, str, str]]) -> None:
    """Take in entries of channel, address and `Suppression.Reason`; of several reasons the first stands.

    Safe to repeat and to run side by side: rows go in by order of address.
    """
    unique: dict[Address, str] = {}
    for channel, address, reason in entries:
        unique.setdefault((channel, comparable(channel, address)), reason)
    with tenant_scope(tenant_id):
        Suppression.objects.bulk_create(
            (
                Suppression(tenant_id=tenant_id, channel=channel, address=address, reason=reason)
                for (channel, address), reason in sorted(unique.items())
            ),
            ignore_conflicts=True,
        )


def opt_out(tenant_ids: Iterable[UUID], address: Address) -> None:
    """Somebody asked these tenants for silence. In whichever scope is open."""
    channel, spelled = address[0], comparable(*address)
    Suppression.objects.bulk_create(
        (
            Suppression(
                tenant_id=tenant_id,
                channel=channel,
                address=spelled,
                reason=Suppression.Reason.UNSUBSCRIBED,
            )
            for tenant_id in sorted(tenant_ids)
        ),
        ignore_conflicts=True,
    )


def opt_in(tenant_ids: Iterable[UUID], address: Address) -> None:
    """Somebody asks to be written to again: what an operator or a complaint decided stays.

    A bounce does not: who can ask can be reached.
    """
    channel, spelled = address[0], comparable(*address)
    of_these = Suppression.objects.filter(tenant_id__in=list(tenant_ids), channel=channel, address=spelled)
    of_these.filter(reason__in=_LIFTED_BY_A_WORD).delete()


def unsuppress(tenant_id: UUID, addresses: Iterable[Address]) -> int:
    """Lift the suppressions of these addresses; how many there were."""
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            _LIFT,
            [_document((channel, comparable(channel, address)) for channel, address in addresses), tenant_id],
        )
        return int(cursor.rowcount)


def _document(addresses: Iterable[Address]) -> str:
    return orjson.dumps([{"channel": channel, "address": address} for channel, address in addresses]).decode()
