"""What a receipt does to its delivery: it arrived, it did not, its address is not to be written to again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import random
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from delivery import parts, queue, recording, settlement
from delivery.accounts import Accounts
from delivery.escalation import stop_chains
from delivery.models import Attempt, Delivery, DeliveryStatus
from delivery.providers.base import ParsedReceipt, ProviderError, ReceiptStatus
from delivery.queue import Leg
from delivery.recording import Ready
from delivery.settlement import SEEN_COUNTS, Settlement
from delivery.siblings import members
from delivery.signals import Change, deliveries_changed
from preferences.directory import retire
from preferences.models import Suppression
from preferences.suppressions import Entry
from tenants.context import tenant_scope

_PROVES_DELIVERY = {
    ReceiptStatus.DELIVERED,
    ReceiptStatus.OPENED,
    ReceiptStatus.CLICKED,
    ReceiptStatus.COMPLAINED,
}
_PROVES_SEEN = {ReceiptStatus.OPENED, ReceiptStatus.CLICKED}

Of = tuple[UUID, int]
"""A delivery and the number of one of its attempts."""


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt that found its delivery, and the attempt it speaks of, or one of that attempt's parts."""

    receipt: ParsedReceipt
    tenant_id: UUID
    delivery_id: UUID
    attempt: int
    parts: int = 1


def touched(told: Sequence[Told]) -> set[UUID]:
    """The deliveries that these receipts may move: their own, and the siblings of those that failed."""
    return {t.delivery_id for t in told} | members(t.delivery_id for t in told if t.receipt.error)


def take_effect(tenant_id: UUID, told: Sequence[Told]) -> Ready:
    """Move the deliveries, inside their tenant's scope and with their rows locked; what is to be rung for."""
    _suppress(tenant_id, told)
    _acknowledge([t for t in told if t.receipt.status is ReceiptStatus.SENT])
    arrived = _arrived(told)
    news = _deliver(tenant_id, arrived)
    if opened := [t.delivery_id for t in told if t.receipt.status in _PROVES_SEEN]:
        stop_chains(tenant_id, opened, seen=True)
    return _fail(tenant_id, [t for t in told if t.receipt.error is not None], news)


def _arrived(told: Sequence[Told]) -> dict[UUID, dt.datetime]:
    """When each delivery arrived of which these receipts say so: for one in parts, all of them have to."""
    proofs = [t for t in told if t.receipt.status in _PROVES_DELIVERY]
    missing = parts.incomplete([(t.delivery_id, t.attempt, t.parts) for t in proofs if t.parts > 1])
    return {t.delivery_id: t.receipt.occurred_at for t in proofs if (t.delivery_id, t.attempt) not in missing}


_DELIVERED = """
    UPDATE delivery_delivery d
       SET status = 'delivered', reason = '', detail = '', delivered_at = s.at, changed_at = %(now)s,
           sent_at = coalesce(d.sent_at, s.at), lease_until = NULL,
           escalate_at = CASE WHEN d.channel = ANY(%(seen_counts)s) AND d.seen_at IS NULL THEN coalesce(
               d.escalate_at,
               CASE WHEN d.status = 'sending' THEN %(now)s + d.within * interval '1 second' END) END
      FROM unnest(%(ids)s::uuid[], %(ats)s::timestamptz[]) AS s(id, at)
     WHERE d.id = s.id AND d.tenant_id = %(tenant_id)s AND d.status <> 'delivered'
    RETURNING d.id, d.notification_id, d.recipient_id, d.channel, d.within
"""


def _deliver(tenant_id: UUID, arrived: dict[UUID, dt.datetime]) -> list[Change]:
    """'delivered' outranks every other status, so it needs no look at the one before.

    It ends a chain that waits for it. One that waits to be seen goes on, and begins to wait now where the
    receipt was faster than the record of the sending.
    """
    if not arrived:
        return []
    now = timezone.now()
    params: dict[str, Any] = {
        "ids": list(arrived),
        "ats": list(arrived.values()),
        "tenant_id": tenant_id,
        "now": now,
        "seen_counts": list(SEEN_COUNTS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERED, params)
        rows: list[tuple[UUID, UUID, UUID | None, str, int | None]] = cursor.fetchall()
    if ended := [row[0] for row in rows if row[4] is not None and row[3] not in SEEN_COUNTS]:
        stop_chains(tenant_id, ended, seen=False)
    return [Change(*row[:4], DeliveryStatus.DELIVERED.value, "", now) for row in rows]


def mark_delivered(tenant_id: UUID, channel: str, notification_ids: Sequence[UUID], at: dt.datetime) -> None:
    """What a client of ours saw for itself: the feed's own receipt."""
    with tenant_scope(tenant_id):
        own = Delivery.objects.filter(
            tenant_id=tenant_id,
            notification_id__in=notification_ids,
            channel=channel,
            status=DeliveryStatus.SENT,
        )
        sent = recording.lock(own.values_list("pk", flat=True))
        if changes := _deliver(tenant_id, dict.fromkeys(sent, at)):
            deliveries_changed.send(Delivery, tenant_id=tenant_id, changes=changes)


def _acknowledge(told: Sequence[Told]) -> None:
    """The vendor has it: what waited for a receipt to say so need not be wondered about any more."""
    if told:
        waiting = Delivery.objects.filter(pk__in=[t.delivery_id for t in told], reason="awaiting_receipt")
        waiting.filter(status=DeliveryStatus.SENT).update(reason="", detail="", changed_at=timezone.now())


def _suppress(tenant_id: UUID, told: Sequence[Told]) -> None:
    """Complaints, and addresses that the vendor found will never work."""
    reasons = {
        (t.delivery_id, t.attempt): (
            Suppression.Reason.COMPLAINED
            if t.receipt.status is ReceiptStatus.COMPLAINED
            else Suppression.Reason.BOUNCED
        )
        for t in told
        if t.receipt.status is ReceiptStatus.COMPLAINED or (t.receipt.error and t.receipt.error.permanent)
    }
    if reasons:
        where = _addresses(reasons)
        found = [(of, reason) for of, reason in reasons.items() if of in where]
        retire(tenant_id, [Entry(*where[of], reason, reference=str(of[0])) for of, reason in found])


def _addresses(attempts: Collection[Of]) -> dict[Of, tuple[str, str]]:
    """Channel and address that each attempt was made to: by now its delivery may be on another route."""
    ids = [id for id, _ in attempts]
    rows = {row.pk: row for row in Delivery.objects.filter(pk__in=ids).only("routes", "route", "attempt")}
    routes = {(row.pk, row.attempt): row.route for row in rows.values()}
    made = Attempt.objects.filter(delivery_id__in=ids).values_list("delivery_id", "number", "route")
    routes |= {(id, number): route for id, number, route in made}
    return {of: tuple(rows[of[0]].routes[routes[of]]) for of in attempts if of in routes}


# One that was erased has nowhere to go.
_TAKE_BACK = f"""
    UPDATE delivery_delivery d SET status = 'sending', lease_until = %(lease_until)s, escalate_at = NULL
      FROM unnest(%(ids)s::uuid[], %(attempts)s::int[]) AS s(id, attempt)
     WHERE d.id = s.id AND d.tenant_id = %(tenant_id)s AND d.status = 'sent' AND d.attempt = s.attempt
       AND d.address <> ''
    RETURNING {queue.LEG}
"""


def _fail(tenant_id: UUID, told: Sequence[Told], news: Sequence[Change]) -> Ready:
    """What was sent and did not arrive goes on as after any error: another try, account or route, or none."""
    now = timezone.now()
    errors = {t.delivery_id: error for t in told if (error := t.receipt.error)}
    legs = queue.legs(
        _TAKE_BACK,
        ids=[t.delivery_id for t in told],
        attempts=[t.attempt for t in told],
        tenant_id=tenant_id,
        lease_until=now + dt.timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS),
    )
    accounts = Accounts.of(tenant_id, {leg.channel for leg in legs})
    settled = [_failed(leg, errors[leg.id], accounts, now) for leg in legs]
    return recording.write(tenant_id, settled, news=news)


def _failed(leg: Leg, error: ProviderError, accounts: Accounts, now: dt.datetime) -> Settlement:
    spent = [*leg.spent_accounts, str(leg.account_id)]
    others = accounts.others(leg.channel, leg.address, is_test=leg.is_test, spent=spent)
    jitter = random()
    return settlement.failed(leg, error, others=others, now=now, jitter=jitter)
