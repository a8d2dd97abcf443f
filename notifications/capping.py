"""Frequency caps of a chunk: recipients' places are read and locked, given out in order, and written back.

Two statements for all that have a cap, none where nobody has. The rows' locks make the count exact: of two
chunks that plan for the same recipient the second reads what the first one gave. What never left gives its
places back when it is settled.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from notifications.caps import CATEGORY, LENGTHS, Cap, Capped, Places, Scope, capped
from tenants.bulk import recordset, uuid_array
from tenants.ids import new_id

_KEPT = 10_000
"""Places that a row holds at most, as many as a cap may have."""

Key = tuple[UUID, str]
"""A recipient and a scope as it is stored."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A notification that is about to go. `chains` are its legs' channels, each those it may go by, in order.

    `starts` is when each of these channels may be used, and `opens` when it may after a given moment; from
    the `deadline` on it may not at all. What is spared by its caps counts for them all the same.
    """

    id: UUID
    recipient_id: UUID
    category: str
    chains: Sequence[Sequence[str]]
    caps: Sequence[Cap]
    starts: Mapping[str, dt.datetime]
    opens: Callable[[str, dt.datetime], dt.datetime] = lambda channel, at: at
    deadline: dt.datetime | None = None
    is_spared: bool = False
    is_test: bool = False

    def scopes(self) -> Iterator[tuple[Scope, str]]:
        """The scopes that it touches, as caps name them and as they are stored."""
        for scope in {cap.scope for cap in self.caps}:
            stored = scope.replace(CATEGORY, f"{CATEGORY}:{self.category}", 1)
            yield scope, f"test:{stored}" if self.is_test else stored


def apply(tenant_id: UUID, sendings: Sequence[Sending], *, now: dt.datetime) -> dict[UUID, Capped]:
    """What the caps leave of each, by its id, in the order of `sendings`; `taken` by scope as it is stored.

    Inside the tenant's scope; call it once a transaction: it locks places, in order, until the end of it.
    """
    keys = {(s.recipient_id, stored) for s in sendings for _, stored in s.scopes()}
    if not keys:
        return {}
    given = _hold(tenant_id, keys)
    found = {sending.id: _apply(sending, given) for sending in sendings}
    _write(given, now)
    return found


def _apply(sending: Sending, given: Mapping[Key, list[dt.datetime]]) -> Capped:
    """The lists are shared: what is taken here is taken for the next of the same recipient."""
    stored = dict(sending.scopes())
    places = Places({scope: given[sending.recipient_id, name] for scope, name in stored.items()})
    how = {name: getattr(sending, name) for name in ("starts", "opens", "deadline", "is_spared")}
    found = capped(sending.chains, sending.caps, places, **how)
    return replace(found, taken=[(stored[scope], at) for scope, at in found.taken])


_HOLD = """
    INSERT INTO notifications_frequencyplaces AS kept (id, tenant_id, recipient_id, scope, given)
    SELECT id, %(tenant_id)s, recipient_id, scope, '{}'
      FROM json_to_recordset(%(keys)s::json) AS s(id uuid, recipient_id uuid, scope text)
     ORDER BY recipient_id, scope
    ON CONFLICT (recipient_id, scope) DO UPDATE SET scope = kept.scope
    RETURNING recipient_id, scope, given
"""


def _hold(tenant_id: UUID, keys: Collection[Key]) -> dict[Key, list[dt.datetime]]:
    rows = [{"id": new_id(), "recipient_id": recipient, "scope": scope} for recipient, scope in keys]
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"tenant_id": tenant_id, "keys": recordset(rows)})
        return {(recipient, scope): given for recipient, scope, given in cursor.fetchall()}


_WRITE = """
    UPDATE notifications_frequencyplaces kept SET given = s.given
      FROM json_to_recordset(%(rows)s::json) AS s(recipient_id uuid, scope text, given timestamptz[])
     WHERE kept.recipient_id = s.recipient_id AND kept.scope = s.scope
"""


def _write(given: Mapping[Key, list[dt.datetime]], now: dt.datetime) -> None:
    """Places older than the longest window there is count no more."""
    oldest = now - max(LENGTHS.values())
    rows: list[dict[str, Any]] = [
        {"recipient_id": recipient, "scope": scope, "given": [at for at in times if at > oldest][-_KEPT:]}
        for (recipient, scope), times in given.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"rows": recordset(rows)})


_NEVER_LEFT = """
    UPDATE notifications_notification n SET places = NULL
      FROM notifications_notification before
     WHERE before.id = n.id AND n.id = ANY(%s::uuid[]) AND n.places IS NOT NULL
       AND NOT EXISTS (SELECT FROM delivery_delivery d JOIN delivery_attempt a ON a.delivery_id = d.id
                        WHERE d.notification_id = n.id AND a.outcome IN ('sent', 'unknown'))
    RETURNING before.places
"""

_HOLD_GIVEN = """
    SELECT FROM notifications_frequencyplaces kept
      JOIN json_to_recordset(%(places)s::json) AS p(recipient_id uuid, scope text) USING (recipient_id, scope)
     ORDER BY kept.recipient_id, kept.scope FOR UPDATE OF kept
"""

# Of several at the same moment as many are taken out as are given back: each is as good as the others.
_GIVE_BACK = """
    UPDATE notifications_frequencyplaces kept
       SET given = ARRAY(SELECT one.at
                           FROM (SELECT at, row_number() OVER (PARTITION BY at) AS nth
                                   FROM unnest(kept.given) AS at) one
                          WHERE one.nth > (SELECT count(*) FROM unnest(back.times) AS t WHERE t = one.at)
                          ORDER BY one.at)
      FROM (SELECT recipient_id, scope, array_agg(at) AS times
              FROM json_to_recordset(%(places)s::json) AS p(recipient_id uuid, scope text, at timestamptz)
             GROUP BY recipient_id, scope) back
     WHERE kept.recipient_id = back.recipient_id AND kept.scope = back.scope
"""


def give_back(notification_ids: Sequence[UUID]) -> None:
    """Let those of these that have ended, and of which nothing can have left, count no more.

    Inside the tenant's scope, with the notifications locked. Three statements for all of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEVER_LEFT, [uuid_array(notification_ids)])
        places = [place for (document,) in cursor.fetchall() for place in orjson.loads(document)]
        if places:
            given = {"places": recordset(places)}
            cursor.execute(_HOLD_GIVEN, given)
            cursor.execute(_GIVE_BACK, given)
