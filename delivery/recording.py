"""Writing settlements down: status, attempt, health, suppression and news in one transaction a chunk.

Rows are locked in one order everywhere, so that no two transactions wait for each other: deliveries by id,
then accounts, suppressions, and notifications (the signal's receivers).
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from delivery import queue, siblings
from delivery.accounts import snapshot
from delivery.models import IN_FLIGHT, PARKED, Attempt, Delivery, DeliveryStatus, Outcome, ProviderAccount
from delivery.providers.base import ProviderError, Sent
from delivery.queue import PATIENCE
from delivery.registry import providers
from delivery.routing import health_after
from delivery.settlement import Call, Settlement
from delivery.signals import Change, deliveries_changed
from delivery.vitals import is_blamed
from preferences.addresses import mask
from preferences.directory import retire
from preferences.models import Suppression
from preferences.suppressions import Entry
from tenants.bulk import copy_rows, recordset, uuid_array
from tenants.context import tenant_scope

logger = logging.getLogger(__name__)

Ready = list[tuple[UUID, str, int]]
"""What is to be rung for at once: (id, channel, priority)."""

_AWAY = (OperationalError, InterfaceError)
_PAUSE = 0.2  # seconds between two tries to reach PostgreSQL


def settle(tenant_id: UUID, settlements: Sequence[Settlement]) -> Ready:
    """Record a chunk whose providers were called: what is forgotten now would be sent again.

    So it is tried until the leases run out while PostgreSQL is away, and a delivery that cannot be recorded
    does not take its chunk with it.
    """
    try:
        return _persist(tenant_id, settlements)
    except _AWAY:
        raise
    except Exception:
        if len(settlements) == 1:
            logger.exception("a delivery cannot be settled", extra={"delivery": settlements[0].leg.id})
            return []
        logger.exception("a chunk cannot be settled at once", extra={"tenant": tenant_id})
    middle = len(settlements) // 2
    return settle(tenant_id, settlements[:middle]) + settle(tenant_id, settlements[middle:])


def _persist(tenant_id: UUID, settlements: Sequence[Settlement]) -> Ready:
    give_up = time.monotonic() + settings.NOTIFICATION_LEASE_SECONDS / 4
    is_repeated = False
    while True:
        try:
            with tenant_scope(tenant_id):
                return write(tenant_id, settlements)
        except _AWAY:
            if time.monotonic() > give_up:
                raise
            logger.warning("PostgreSQL is away: settling again", extra={"tenant": tenant_id})
            is_repeated = True
            connection.close()
            time.sleep(_PAUSE)
        except IntegrityError:
            if not is_repeated:
                raise
            return []  # the commit whose answer was lost had been made: the attempts are there


def write(tenant_id: UUID, settlements: Sequence[Settlement], *, news: Sequence[Change] = ()) -> Ready:
    """Record a chunk, inside its tenant's scope, and tell of it and of `news`.

    A worker whose lease ran out finds its rows in other hands: its attempts are kept, and 'sent' still counts
    where the row would otherwise be sent again, but nothing else is changed.
    """
    written = _update(settlements) if settlements else {}
    joining = _part_siblings(tenant_id, list(written.values()))
    current = [written.get(s.leg.id, s) for s in settlements]
    calls = [s for s in current if s.call is not None and (s.leg.id in written or not s.is_surmise)]
    _record_attempts(tenant_id, calls)
    _record_health(calls)
    _suppress(tenant_id, calls)
    settled = list(written.values())
    changes = [*news, *(_change(s) for s in settled if not s.is_waiting or s.reason == PARKED or s.steps)]
    if changes:
        deliveries_changed.send(Delivery, tenant_id=tenant_id, changes=changes)
    return joining + [
        (s.leg.id, s.leg.routes[s.route][0], s.leg.priority)
        for s in settled
        if s.is_waiting and s.due_at is not None and s.due_at <= s.at
    ]


def _part_siblings(tenant_id: UUID, written: Sequence[Settlement]) -> Ready:
    """What it means to a person's devices, which share a chain; those that are to ring now."""
    siblings.cut_tails(written)
    if not (joining := siblings.spread(written)):
        return []
    queue.enqueue(tenant_id, joining, now=written[0].at)
    return [(new.id, new.routes[0][0], new.priority) for new in joining]


class Locked(NamedTuple):
    """A delivery as it stands, and stays until the transaction ends."""

    status: str
    attempt: int
    is_erased: bool


def lock(delivery_ids: Iterable[UUID]) -> dict[UUID, Locked]:
    """Lock deliveries in order of id, before a statement that would take them in any."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [uuid_array(delivery_ids)])
        return {id: Locked(*state) for id, *state in cursor.fetchall()}


_LOCK = """
    SELECT id, status, attempt, address = '' FROM delivery_delivery
     WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""


_UPDATE = """
    UPDATE delivery_delivery d
       SET status = s.status, reason = s.reason, detail = s.detail, route = s.route, channel = s.channel,
           address = s.address, attempt = s.attempt, tries = s.tries, account_id = s.account_id,
           spent_accounts = s.spent, due_at = coalesce(s.due_at, d.due_at),
           ring_at = coalesce(s.ring_at, d.ring_at), lease_until = NULL, changed_at = s.at,
           sent_at = CASE WHEN s.status = 'sent' THEN s.at ELSE d.sent_at END,
           escalate_at = CASE WHEN d.seen_at IS NULL THEN s.escalate_at END
      FROM json_to_recordset(%s::json)
        AS s(id uuid, status text, reason text, detail text, route int, channel text, address text,
             attempt int, tries int, account_id uuid, spent jsonb, due_at timestamptz,
             ring_at timestamptz, at timestamptz, escalate_at timestamptz)
     WHERE d.id = s.id
"""


def _update(settlements: Sequence[Settlement]) -> dict[UUID, Settlement]:
    """Write down what still may be; those, as they were written, by their deliveries' ids.

    Which may be is decided here, on the locked rows. As a condition of the UPDATE it led PostgreSQL, whose
    statistics know of hardly any row that is `sending`, to read the whole table for each row of the chunk.
    """
    families = siblings.members(s.leg.id for s in settlements if siblings.leaves(s))
    locked = lock({s.leg.id for s in settlements} | families)
    current = [s for s in settlements if s.leg.id in locked and _may_become(s, locked[s.leg.id])]
    current = siblings.parted(current)
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [recordset([_row(s) for s in current])])
    return {s.leg.id: s for s in current}


def _may_become(s: Settlement, now: Locked) -> bool:
    """While this claim holds; and 'sent' as long as it would otherwise be sent again."""
    if now.status == DeliveryStatus.SENDING and now.attempt == s.leg.attempt:
        return True
    return s.status is DeliveryStatus.SENT and now.status in IN_FLIGHT


def _row(s: Settlement) -> dict[str, Any]:
    ring_at = None
    if s.due_at is not None:
        ring_at = s.due_at if s.due_at > s.at else s.at + PATIENCE
    channel, address = s.leg.routes[s.route]
    row = {
        "id": s.leg.id,
        "status": s.status.value,
        "reason": s.reason[:64],
        "detail": _told(s, s.detail),
        "route": s.route,
        "channel": channel,
        "address": address,
        "attempt": s.leg.attempt - s.refund,
        "tries": s.tries,
        "account_id": s.account_id,
        "spent": list(s.spent_accounts),
        "due_at": s.due_at,
        "ring_at": ring_at,
        "at": s.at,
    }
    return row if s.leg.within is None else row | {"escalate_at": s.escalate_at}


def _change(s: Settlement) -> Change:
    leg = s.leg
    said = (s.status.value, s.reason, s.at, s.content, s.steps)
    return Change(leg.id, leg.notification_id, leg.recipient_id, leg.channel, *said)


_ATTEMPT = (
    *(
        "id",
        "tenant_id",
        "delivery_id",
        "number",
        "route",
        "channel",
        "provider",
        "account_id",
        "account_name",
    ),
    *(
        "chosen_because",
        "outcome",
        "code",
        "detail",
        "provider_message_id",
        "part_ids",
        "started_at",
        "latency_ms",
    ),
    "next_step",
)


def _record_attempts(tenant_id: UUID, settlements: Sequence[Settlement]) -> None:
    if settlements:
        copy_rows(Attempt, _ATTEMPT, (_attempt(tenant_id, s, s.call) for s in settlements if s.call))


def _attempt(tenant_id: UUID, s: Settlement, call: Call) -> tuple[Any, ...]:
    account, outcome = call.choice.account, call.outcome
    if isinstance(outcome, Sent):
        ids = (storable(outcome.message_id, 255), _literal(outcome.part_ids))
        told = (Outcome.SENT.value, "", _told(s, outcome.detail), *ids)
    else:
        told = (outcome.kind.value, storable(outcome.code, 64), _told(s, outcome.message), "", "{}")
    return (
        *(call.id, tenant_id, s.leg.id, s.leg.attempt, s.leg.route, s.leg.channel),
        *(account.provider, account.id, account.name, call.choice.reason[:200]),
        *(*told, call.started_at, outcome.latency_ms, s.next_step[:200]),
    )


def _literal(part_ids: Sequence[str]) -> list[str] | str:
    """Most have none, and get the literal: psycopg quotes a list in Python, a millisecond a chunk."""
    return [storable(id, 255) for id in part_ids] if part_ids else "{}"


def _told(s: Settlement, text: str) -> str:
    """What a vendor said, without the address: vendors repeat it, and not all who read this may know it."""
    address = s.leg.address
    return storable(text.replace(address, mask(s.leg.channel, address)) if address else text, 500)


def storable(text: str, limit: int) -> str:
    """A vendor's words as PostgreSQL takes them: valid UTF-8 without NUL, at most `limit` characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:limit]


def _record_health(settlements: Iterable[Settlement]) -> None:
    """Take health from the accounts that failed. One that works is not written to: its drift is computed."""
    made: dict[UUID, list[Settlement]] = defaultdict(list)
    for s in settlements:
        if s.call is not None and s.call.choice.account.id is not None and _is_one_server(s.call):
            made[s.call.choice.account.id].append(s)
    blamed = {id: errors for id, calls in made.items() if (errors := _blaming(calls))}
    if not blamed:
        return
    accounts = ProviderAccount.objects.select_for_update(no_key=True).filter(pk__in=blamed)
    for account in accounts.order_by("pk"):
        errors, calls = blamed[account.pk], made[account.pk]
        now = max(s.at for s in calls)
        account.health = health_after(snapshot(account), failed=len(errors), of=len(calls), now=now)
        account.health_at = now
        words = f"{len(errors)} of {len(calls)} failed, the last: {errors[-1]}"
        account.health_reason = storable(words, 200)
        account.save(update_fields=["health", "health_at", "health_reason"])


def _is_one_server(call: Call) -> bool:
    account = call.choice.account
    found = providers().get((account.channel, account.provider))
    return found is None or not found.each_address_is_a_server


def _blaming(settlements: Iterable[Settlement]) -> list[str]:
    """What went wrong that the account can be blamed for."""
    return [_told(s, s.call.outcome.message) for s in settlements if s.call and is_blamed(s.call.outcome)]


def _suppress(tenant_id: UUID, settlements: Iterable[Settlement]) -> None:
    """An address that the provider says will never work is not tried again."""
    refused = [
        Entry(s.leg.channel, s.leg.address, Suppression.Reason.INVALID, reference=str(s.leg.id))
        for s in settlements
        if s.call and isinstance(s.call.outcome, ProviderError) and s.call.outcome.permanent
    ]
    if refused:
        retire(tenant_id, refused)
