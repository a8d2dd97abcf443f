"""The ledger: whatever was accepted is somewhere. It must balance after every commit, whatever happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson
from django.db import connection

from notifications.models import OPEN
from tenants.context import tenant_scope


@dataclass(frozen=True, slots=True)
class Ledger:
    """A tenant's books at one moment.

    `accepted` is what its requests brought, `became` how many notifications have each status. The two strays
    are rows that contradict each other: notifications that ended without success and have deliveries that may
    still leave, and notifications in process that nothing more will happen to. What waits in a digest that is
    open, or whose telling is, is in process without deliveries of its own.
    """

    accepted: int
    became: Mapping[str, int]
    ended_with_open_deliveries: int
    stuck_in_process: int

    @property
    def in_flight(self) -> int:
        return sum(self.became.get(status, 0) for status in OPEN)

    @property
    def missing(self) -> int:
        """How many were accepted and are not there; negative: there are more than were accepted."""
        return self.accepted - sum(self.became.values())

    @property
    def balanced(self) -> bool:
        return not (self.missing or self.ended_with_open_deliveries or self.stuck_in_process)


# One statement is one snapshot: requests and workers of this moment cannot part the two sides.
_LEDGER = """
    WITH mine AS (
        SELECT n.status, EXISTS (SELECT FROM delivery_delivery d WHERE d.notification_id = n.id
                                    AND d.status IN ('queued', 'deferred', 'sending')) AS is_open,
               EXISTS (SELECT FROM notifications_digest g
                         LEFT JOIN notifications_notification t ON t.id = g.notification_id
                        WHERE g.id = n.digest_id AND (g.closed_at IS NULL OR t.status IN
                              ('accepted', 'scheduled', 'processing'))) AS is_to_be_told
          FROM notifications_notification n WHERE n.tenant_id = %(tenant_id)s
    ), became AS (SELECT status, count(*) AS number FROM mine GROUP BY status)
    SELECT (SELECT coalesce(sum(accepted), 0) FROM notifications_intake WHERE tenant_id = %(tenant_id)s),
           (SELECT coalesce(json_object_agg(status, number), '{}')::text FROM became),
           count(*) FILTER (WHERE is_open AND status IN ('failed', 'suppressed', 'expired', 'canceled')),
           count(*) FILTER (WHERE NOT is_open AND NOT is_to_be_told AND status = 'processing')
      FROM mine
"""


def ledger(tenant_id: UUID) -> Ledger:
    """The tenant's books. It reads all of its notifications: for tests and audits, not for requests."""
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(_LEDGER, {"tenant_id": tenant_id})
        accepted, became, ended, stuck = cursor.fetchone()
    return Ledger(int(accepted), orjson.loads(became), ended, stuck)
