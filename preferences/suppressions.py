"""Addresses that must not be written to: hard bounces, complaints, opt-outs. They outlive recipients.

Rows hold hashes (`keyed`), so whoever asks has to know the address. Of one address there is one row, under
whichever key it was made with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from preferences import keyed
from preferences.addresses import comparable, mask
from preferences.channels import CHANNELS
from preferences.models import Suppression
from tenants.bulk import recordset, uuid_array
from tenants.context import tenant_scope

Address = tuple[str, str]
"""A channel and an address on it."""

MASK_LENGTH = 255
_USUAL_SOURCE = {
    Suppression.Reason.BOUNCED: Suppression.Source.RECEIPT,
    Suppression.Reason.COMPLAINED: Suppression.Source.RECEIPT,
    Suppression.Reason.INVALID: Suppression.Source.ATTEMPT,
    Suppression.Reason.UNSUBSCRIBED: Suppression.Source.UNSUBSCRIBE,
    Suppression.Reason.MANUAL: Suppression.Source.OPERATOR,
}
_LIFTED_BY_A_WORD = (
    Suppression.Reason.UNSUBSCRIBED,
    Suppression.Reason.INVALID,
    Suppression.Reason.BOUNCED,
)


class Entry(NamedTuple):
    """What is to be suppressed, and why. `reference` names what caused it: a delivery's id, a reply's.

    `reason` and `source` are `Suppression`'s; a source that is left out is the reason's usual one.
    """

    channel: str
    address: str
    reason: str
    source: str = ""
    reference: str = ""
    since: dt.datetime | None = None


# LIMIT holds the planner to one index look-up a hash.
_FIND = """
    SELECT wanted.place, found.reason
    FROM json_to_recordset(%s::json) AS wanted (place int, channel varchar, address_hash varchar)
    CROSS JOIN LATERAL (
      SELECT reason FROM preferences_suppression AS suppression
      WHERE suppression.tenant_id = %s
        AND suppression.channel = wanted.channel AND suppression.address_hash = wanted.address_hash
      LIMIT 1
    ) AS found
"""
_LIFT = """
    DELETE FROM preferences_suppression AS suppression
    USING json_to_recordset(%s::json) AS lifted (channel varchar, address_hash varchar)
    WHERE suppression.tenant_id = %s
      AND suppression.channel = lifted.channel AND suppression.address_hash = lifted.address_hash
"""


def among(tenant_id: UUID, addresses: Iterable[Address]) -> dict[Address, str]:
    """Those of the addresses that are suppressed, spelled as given, with the reason.

    One query, in the tenant's scope. Nobody is written to from outside by the feed: it is not looked for.
    """
    asked = [address for address in set(addresses) if address[0] != "in_app"]
    wanted = [
        {"place": place, "channel": asked[place][0], "address_hash": digest}
        for place, digest in keyed.of_addresses(asked)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [recordset(wanted), tenant_id])
        return {asked[place]: reason for place, reason in cursor.fetchall()}


def rows_of(tenant_id: UUID, addresses: Iterable[Address]) -> dict[Address, Suppression]:
    """The row of each of these addresses that has one. One query."""
    known = set(addresses)
    rows = {(row.channel, row.address_hash): row for row in _of(tenant_id, known)}
    return {
        (channel, address): row
        for channel, address in known
        for digest in keyed.of_address(channel, address)
        if (row := rows.get((channel, digest.value)))
    }


def _of(tenant_id: UUID, addresses: Collection[Address]) -> QuerySet[Suppression]:
    hashes = [digest.value for address in addresses for digest in keyed.of_address(*address)]
    channels = {channel for channel, _ in addresses}
    return Suppression.objects.filter(tenant_id=tenant_id, channel__in=channels, address_hash__in=hashes)


def suppress(tenant_id: UUID, entries: Iterable[tuple[str, str, str] | Entry]) -> int:
    """Take in entries; of several for one address the first stands, also one that is there. How many are new.

    Safe to repeat and to run side by side.
    """
    told = [Entry(*entry) for entry in entries if entry[1]]  # one that was erased has no address
    with tenant_scope(tenant_id):
        rekey([tenant_id], [(entry.channel, entry.address) for entry in told])
        return store(row(tenant_id, entry) for entry in told)


def opt_out(tenant_ids: Iterable[UUID], address: Address, reference: str = "") -> None:
    """Somebody asked these tenants for silence, by a reply. In whichever scope is open."""
    asked = list(tenant_ids)
    entry = Entry(*address, Suppression.Reason.UNSUBSCRIBED, Suppression.Source.REPLY, reference)
    rekey(asked, [address])
    store(row(tenant_id, entry) for tenant_id in asked)


def opt_in(tenant_ids: Iterable[UUID], address: Address) -> None:
    """Somebody asks to be written to again: what an operator or a complaint decided stays.

    A bounce does not: who can ask can be reached.
    """
    of_these = Suppression.objects.filter(tenant_id__in=list(tenant_ids), channel=address[0])
    of_these = of_these.filter(address_hash__in=[digest.value for digest in keyed.of_address(*address)])
    of_these.filter(reason__in=_LIFTED_BY_A_WORD).delete()


def unsuppress(tenant_id: UUID, addresses: Iterable[Address]) -> int:
    """Lift the suppressions of these addresses; how many there were."""
    lifted = [
        {"channel": address[0], "address_hash": digest.value}
        for address in addresses
        for digest in keyed.of_address(*address)
    ]
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(_LIFT, [recordset(lifted), tenant_id])
        return int(cursor.rowcount)


def spelled_as(address: str) -> Q:
    """The rows of an address, on whichever channel, so that the unique index answers."""
    anywhere = Q()
    for channel in CHANNELS:
        hashes = [digest.value for digest in keyed.of_address(channel, address)]
        anywhere |= Q(channel=channel, address_hash__in=hashes)
    return anywhere


def row(tenant_id: UUID, entry: Entry) -> Suppression:
    """The entry as it will be stored."""
    digest = keyed.of_address(entry.channel, entry.address)[0]
    return Suppression(
        tenant_id=tenant_id,
        channel=entry.channel,
        address_hash=digest.value,
        key_id=digest.key_id,
        mask=mask(entry.channel, comparable(entry.channel, entry.address))[:MASK_LENGTH],
        reason=entry.reason,
        source=entry.source or _USUAL_SOURCE[Suppression.Reason(entry.reason)],
        reference=entry.reference,
        since=entry.since or timezone.now(),
        created_at=timezone.now(),
    )


_COLUMNS = {field.attname: field.db_type(connection) for field in Suppression._meta.concrete_fields}
_STORE = f"""
    INSERT INTO preferences_suppression ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)} FROM json_to_recordset(%s::json)
        AS given ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
    ON CONFLICT (tenant_id, channel, address_hash) DO NOTHING
"""


def store(rows: Iterable[Suppression]) -> int:
    """Insert what is new, in whichever scope is open; how many that is.

    Rows go in by order of tenant and hash, so any number of these can run at once.
    """
    ordered = sorted(rows, key=lambda row: (row.tenant_id, row.channel, row.address_hash))
    if not ordered:
        return 0
    document = recordset([{name: getattr(row, name) for name in _COLUMNS} for row in ordered])
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [document])
        return int(cursor.rowcount)


_REKEY = """
    UPDATE preferences_suppression AS suppression
    SET address_hash = known.current, key_id = %(key_id)s
    FROM json_to_recordset(%(known)s::json) AS known (channel varchar, former varchar, current varchar)
    WHERE suppression.tenant_id = ANY(%(tenants)s::uuid[])
      AND suppression.channel = known.channel AND suppression.address_hash = known.former
      AND NOT EXISTS (
        SELECT FROM preferences_suppression AS other
        WHERE other.tenant_id = suppression.tenant_id
          AND other.channel = suppression.channel AND other.address_hash = known.current
      )
"""


def rekey(tenant_ids: Sequence[UUID], addresses: Iterable[Address]) -> int:
    """Hash anew, under the first key, what is kept of these under another; how many rows that were.

    In whichever scope is open. Without former keys it asks nothing.
    """
    if len(keyed.ring()) == 1:
        return 0
    known = [
        {"channel": address[0], "former": former.value, "current": current.value}
        for address in set(addresses)
        for current, *others in [keyed.of_address(*address)]
        for former in others
    ]
    params = {
        "key_id": next(iter(keyed.ring())),
        "known": recordset(known),
        "tenants": uuid_array(tenant_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_REKEY, params)
        return int(cursor.rowcount)


def strip(tenant_id: UUID, addresses: Iterable[Address]) -> int:
    """Forget how these addresses look, in the tenant's scope: their suppressions hold. How many rows.

    What caused them is forgotten too: it leads to what was sent to them.
    """
    return _of(tenant_id, set(addresses)).exclude(mask="", reference="").update(mask="", reference="")
