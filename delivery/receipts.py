"""What providers say afterwards: verified, parsed and applied. Knows no vendor.

A receipt may come twice, late, or before the send it speaks of was recorded. A repeated event is refused by a
unique key; 'delivered' outranks every other status; a failure counts only for the attempt it speaks of; and one
that came too early is kept and adopted by the sweeper.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import random
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from delivery import queue, settlement
from delivery.accounts import Accounts, instance
from delivery.models import Delivery, DeliveryStatus, ProviderAccount, Receipt
from delivery.providers.base import ErrorKind, ParsedReceipt, ProviderError, ReceiptRequest, ReceiptStatus
from delivery.queue import Leg
from delivery.registry import provider
from delivery.signals import Change, deliveries_changed
from preferences.directory import suppress
from preferences.models import Suppression
from tenants.context import installation_scope, tenant_scope

_PROVES_DELIVERY = {
    ReceiptStatus.DELIVERED,
    ReceiptStatus.OPENED,
    ReceiptStatus.CLICKED,
    ReceiptStatus.COMPLAINED,
}
_ADOPT_FOR = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt that found its delivery, and the attempt it speaks of."""

    receipt: ParsedReceipt
    tenant_id: UUID
    delivery_id: UUID
    attempt: int


def receive(account: ProviderAccount, request: ReceiptRequest) -> None:
    """A vendor's request: verify its signature, read it, apply what it says. Raises `ReceiptRefused`."""
    vendor = instance(account, provider(account.channel, account.provider))
    vendor.verify(request)
    apply(account, vendor.parse(request))


def apply(account: ProviderAccount, receipts: Sequence[ParsedReceipt]) -> None:
    """Keep the receipts that are new, and let them take effect."""
    with installation_scope():
        told = _locate(account, receipts)
        fresh = _store(account, receipts, {t.receipt.event_id: t for t in told})
        again = _take_effect([t for t in told if t.receipt.event_id in fresh])
    _ring(again)


def _locate(account: ProviderAccount, receipts: Sequence[ParsedReceipt]) -> list[Told]:
    """By the reference that we gave out with the message, else by the id that the vendor gave it."""
    references = {r.event_id: _reference(r.reference) for r in receipts}
    rows = _by_message(account.pk, [r.message_id for r in receipts if references[r.event_id] is None])
    wanted = [reference[0] for reference in references.values() if reference]
    states = {
        id: (tenant_id, status)
        for id, tenant_id, status in Delivery.objects.filter(pk__in=wanted).values_list(
            "pk", "tenant_id", "status"
        )
    }
    told: list[Told] = []
    for receipt in receipts:
        if (reference := references[receipt.event_id]) is None:
            if receipt.message_id in rows:
                told.append(Told(receipt, *rows[receipt.message_id]))
        elif reference[0] in states:
            tenant_id, status = states[reference[0]]
            ours = account.tenant_id in (None, tenant_id)
            if ours and not (receipt.error and status == DeliveryStatus.SENDING):
                told.append(Told(receipt, tenant_id, *reference))
    return told


def _reference(text: str) -> tuple[UUID, int] | None:
    id, _, attempt = text.partition(".")
    try:
        return UUID(id), int(attempt)
    except ValueError:
        return None


_BY_MESSAGE = """
    SELECT DISTINCT ON (provider_message_id) provider_message_id, tenant_id, delivery_id, number
      FROM delivery_attempt
     WHERE account_id = %s AND provider_message_id = ANY(%s) AND provider_message_id <> ''
     ORDER BY provider_message_id, id DESC
"""


def _by_message(account_id: UUID, message_ids: Sequence[str]) -> dict[str, tuple[UUID, UUID, int]]:
    if not message_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_MESSAGE, [account_id, list(message_ids)])
        return {message_id: tuple(found) for message_id, *found in cursor.fetchall()}


def _store(account: ProviderAccount, receipts: Iterable[ParsedReceipt], told: dict[str, Told]) -> set[str]:
    """Insert what is new; the event ids that were."""
    fresh = set()
    for receipt in receipts:
        known = told.get(receipt.event_id)
        error = receipt.error
        _, created = Receipt.objects.get_or_create(
            account_id=account.pk,
            event_id=receipt.event_id[:255],
            defaults={
                "tenant_id": known.tenant_id if known else account.tenant_id,
                "delivery_id": known.delivery_id if known else None,
                "provider_message_id": receipt.message_id[:255],
                "status": receipt.status.value,
                "kind": error.kind.value if error else "",
                "code": error.code[:64] if error else "",
                "detail": error.message[:500] if error else "",
                "is_permanent": bool(error and error.permanent),
                "occurred_at": receipt.occurred_at,
            },
        )
        if created:
            fresh.add(receipt.event_id)
    return fresh


Waiting = dict[UUID, list[tuple[UUID, str, int]]]


def _take_effect(told: Sequence[Told]) -> Waiting:
    """Move the deliveries; what is to be rung for, by tenant."""
    by_tenant: dict[UUID, list[Told]] = defaultdict(list)
    for item in told:
        by_tenant[item.tenant_id].append(item)
    return {tenant_id: _take_effect_for(tenant_id, items) for tenant_id, items in by_tenant.items()}


def _take_effect_for(tenant_id: UUID, told: Sequence[Told]) -> list[tuple[UUID, str, int]]:
    delivered = {t.delivery_id: t.receipt.occurred_at for t in told if t.receipt.status in _PROVES_DELIVERY}
    _mark_delivered(tenant_id, delivered)
    _suppress(tenant_id, told)
    return _fail(tenant_id, [t for t in told if t.receipt.error is not None])


_DELIVERED = """
    UPDATE delivery_delivery d
       SET status = 'delivered', reason = '', detail = '', delivered_at = s.at, changed_at = %(now)s, lease_until = NULL
      FROM unnest(%(ids)s::uuid[], %(ats)s::timestamptz[]) AS s(id, at)
     WHERE d.id = s.id AND d.tenant_id = %(tenant_id)s AND d.status <> 'delivered'
    RETURNING d.id, d.notification_id, d.recipient_id, d.channel
"""


def _mark_delivered(tenant_id: UUID, delivered: dict[UUID, dt.datetime]) -> None:
    """'delivered' outranks every other status, so it needs no look at the one before."""
    if not delivered:
        return
    ordered = sorted(delivered.items())
    params = {"ids": [id for id, _ in ordered], "ats": [at for _, at in ordered]}
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERED, {**params, "tenant_id": tenant_id, "now": now})
        changes = [Change(*row, DeliveryStatus.DELIVERED.value, "", now) for row in cursor.fetchall()]
    if changes:
        deliveries_changed.send(Delivery, tenant_id=tenant_id, changes=changes)


def mark_delivered(tenant_id: UUID, channel: str, notification_ids: Sequence[UUID], at: dt.datetime) -> None:
    """What a client of ours saw for itself: the feed's own receipt."""
    with tenant_scope(tenant_id):
        own = Delivery.objects.filter(
            tenant_id=tenant_id,
            notification_id__in=notification_ids,
            channel=channel,
            status=DeliveryStatus.SENT,
        )
        _mark_delivered(tenant_id, dict.fromkeys(own.values_list("pk", flat=True), at))


def _suppress(tenant_id: UUID, told: Sequence[Told]) -> None:
    """Complaints, and addresses that the vendor found will never work."""
    reasons = {
        t.delivery_id: (
            Suppression.Reason.COMPLAINED
            if t.receipt.status is ReceiptStatus.COMPLAINED
            else Suppression.Reason.BOUNCED
        )
        for t in told
        if t.receipt.status is ReceiptStatus.COMPLAINED or (t.receipt.error and t.receipt.error.permanent)
    }
    if reasons:
        rows = Delivery.objects.filter(pk__in=reasons).values_list("pk", "channel", "address")
        suppress(tenant_id, [(channel, address, reasons[id].value) for id, channel, address in rows])


_TAKE_BACK = f"""
    UPDATE delivery_delivery d SET status = 'sending', lease_until = %(lease_until)s
      FROM unnest(%(ids)s::uuid[], %(attempts)s::int[]) AS s(id, attempt)
     WHERE d.id = s.id AND d.tenant_id = %(tenant_id)s AND d.status = 'sent' AND d.attempt = s.attempt
    RETURNING {queue.LEG}
"""


def _fail(tenant_id: UUID, told: Sequence[Told]) -> list[tuple[UUID, str, int]]:
    """What was sent and did not arrive goes on as after any error: another try, account or route, or none."""
    if not told:
        return []
    now = timezone.now()
    errors = {t.delivery_id: t.receipt.error for t in told}
    legs = queue.legs(
        _TAKE_BACK,
        ids=[t.delivery_id for t in told],
        attempts=[t.attempt for t in told],
        tenant_id=tenant_id,
        lease_until=now + dt.timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS),
    )
    accounts = Accounts.of(tenant_id, {leg.channel for leg in legs})
    return settlement.write(tenant_id, [_failed(leg, errors[leg.id], accounts, now) for leg in legs])


def _failed(
    leg: Leg, error: ProviderError | None, accounts: Accounts, now: dt.datetime
) -> settlement.Settlement:
    assert error is not None
    spent = [*leg.spent_accounts, str(leg.account_id)]
    others = accounts.others(leg.channel, is_test=leg.is_test, spent=spent)
    return settlement.failed(leg, error, others=others, now=now, jitter=random())


_UNCLAIMED = """
    SELECT DISTINCT ON (r.id) r.id, r.event_id, r.provider_message_id, r.status, r.occurred_at, r.kind, r.code,
           r.detail, r.is_permanent, a.tenant_id, a.delivery_id, a.number
      FROM delivery_receipt r
      JOIN delivery_attempt a USING (account_id, provider_message_id)
     WHERE r.delivery_id IS NULL AND r.received_at > %s AND a.provider_message_id <> ''
     ORDER BY r.id, a.id DESC LIMIT 1000
"""


def adopt() -> int:
    """Let the receipts take effect that came before their attempt was recorded. How many they were."""
    with installation_scope():
        with connection.cursor() as cursor:
            cursor.execute(_UNCLAIMED, [timezone.now() - _ADOPT_FOR])
            found = [(row[0], _told(*row[1:])) for row in cursor.fetchall()]
        for receipt_id, told in found:
            Receipt.objects.filter(pk=receipt_id).update(
                delivery_id=told.delivery_id, tenant_id=told.tenant_id
            )
        again = _take_effect([told for _, told in found])
    _ring(again)
    return len(found)


def _told(
    event_id: str,
    message_id: str,
    status: str,
    occurred_at: dt.datetime,
    kind: str,
    code: str,
    detail: str,
    permanent: bool,
    *whom: Any,
) -> Told:
    error = ProviderError(ErrorKind(kind), detail, code=code, permanent=permanent) if kind else None
    return Told(ParsedReceipt(event_id, message_id, ReceiptStatus(status), occurred_at, error), *whom)


def _ring(again: Waiting) -> None:
    for tenant_id, waiting in again.items():
        queue.ring(tenant_id, waiting)
