"""Messages that left in several parts: who they are, by the id of any part, and whether all have arrived.

Their ids stand in the attempt, and each part's receipt is a row of its own: so it does not matter which
process hears it, nor when.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from delivery.recording import storable

Found = tuple[UUID, UUID, int, int]
"""Tenant, delivery, number of the attempt, number of its parts."""

_BY_PART = """
    SELECT DISTINCT ON (s.id) s.id, a.tenant_id, a.delivery_id, a.number, cardinality(a.part_ids)
      FROM delivery_attempt a, unnest(a.part_ids) AS s(id)
     WHERE a.part_ids <> '{}' AND a.part_ids && %(ids)s::varchar[] AND a.account_id = %(account_id)s
       AND s.id = ANY(%(ids)s::varchar[])
     ORDER BY s.id, a.id DESC
"""


def by_part(account_id: UUID, message_ids: Sequence[str]) -> dict[str, Found]:
    """The attempts that have these ids among their parts'."""
    ids = [id for message_id in message_ids if (id := storable(message_id, 255))]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_PART, {"account_id": account_id, "ids": ids})
        return {id: tuple(found) for id, *found in cursor.fetchall()}


_INCOMPLETE = """
    SELECT s.delivery_id, s.attempt
      FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS s(delivery_id, attempt, parts)
     WHERE s.parts > (
             SELECT count(DISTINCT r.provider_message_id)
               FROM delivery_receipt r
              WHERE r.delivery_id = s.delivery_id AND r.attempt = s.attempt AND r.status = 'delivered')
"""


def incomplete(attempts: Sequence[tuple[UUID, int, int]]) -> set[tuple[UUID, int]]:
    """Of attempts (delivery, number, how many parts) those of which some part has not arrived.

    To be asked with the deliveries locked: two who hear of the last two parts would each miss the other's.
    """
    if not attempts:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_INCOMPLETE, [list(column) for column in zip(*attempts, strict=True)])
        return set(cursor.fetchall())
