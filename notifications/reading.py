"""What a service or an operator sees of a notification: its state, its deliveries, and the why of each."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Max

from delivery.models import Attempt, Delivery, DeliveryStatus, Receipt
from delivery.settlement import late_reason
from notifications.models import Batch, Digest, Notification, NotificationStatus, Priority
from preferences.addresses import mask

CLOSED = frozenset(NotificationStatus) - {
    NotificationStatus.ACCEPTED,
    NotificationStatus.SCHEDULED,
    NotificationStatus.PROCESSING,
}

EVENTS_SHOWN = 100


def summary(n: Notification) -> dict[str, Any]:
    return {
        "id": n.pk,
        "status": n.status,
        "reason": n.reason,
        "recipient": n.recipient_external_id or None,
        "template": n.template_code or None,
        "category": n.category,
        "type": n.type,
        "priority": Priority(n.priority).label.lower(),
        "channels": n.channels,
        "reference": n.reference,
        "metadata": n.metadata,
        "batch_id": n.batch_id,
        "send_at": n.send_at,
        "expires_at": n.expires_at,
        "created_at": n.created_at,
        "updated_at": n.changed_at,
    }


def detail(n: Notification) -> dict[str, Any]:
    """A notification with its deliveries, their attempts, and the trace of every decision, oldest first."""
    deliveries = list(Delivery.objects.filter(notification_id=n.pk).order_by("id"))
    ids = [delivery.pk for delivery in deliveries]
    attempts = _grouped(Attempt.objects.filter(delivery_id__in=ids).order_by("started_at", "id"))
    receipts = _grouped(Receipt.objects.filter(delivery_id__in=ids).order_by("received_at", "id"))
    digest = digest_of(n)
    return {
        **summary(n),
        "data": n.data,
        "content": n.content,
        "action": n.action,
        "digest": digest and shown_digest(digest),
        "deliveries": [_delivery(d, attempts[d.pk]) for d in deliveries],
        "trace": trace(n, attempts, receipts, [*_escalations(deliveries), *_closing(n, digest)]),
    }


def digest_of(n: Notification) -> Digest | None:
    """The digest that it waits in, or that told it, or that it tells."""
    if n.is_digest:
        return Digest.objects.filter(notification_id=n.pk).first()
    return Digest.objects.filter(pk=n.digest_id).first() if n.digest_id else None


def shown_digest(digest: Digest) -> dict[str, Any]:
    """With its first events' ids; all of them are a list of its own."""
    events = Notification.objects.filter(digest_id=digest.pk).order_by("pk")
    return {
        "id": digest.pk,
        "key": digest.key,
        "window": digest.window,
        "opened_at": digest.opened_at,
        "closes_at": digest.closes_at,
        "closed_at": digest.closed_at,
        "notification_id": digest.notification_id,
        "total": events.count(),
        "events": list(events.values_list("pk", flat=True)[:EVENTS_SHOWN]),
    }


def _closing(n: Notification, digest: Digest | None) -> list[dict[str, Any]]:
    """When an event's digest was closed, and what tells it."""
    if digest is None or digest.closed_at is None or n.is_digest:
        return []
    told = {"decision": "closed", "reason": f"notification:{digest.notification_id}"}
    return [{"at": digest.closed_at, "step": "digest", **told}]


def _grouped(rows: Any) -> dict[UUID, list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.delivery_id].append(row)
    return groups


def _delivery(d: Delivery, attempts: Sequence[Attempt]) -> dict[str, Any]:
    return {
        "id": d.pk,
        "channel": d.channel,
        "address": mask(d.channel, d.address),
        "status": d.status,
        "reason": d.reason,
        "detail": d.detail,
        "provider": attempts[-1].provider if attempts else None,
        "routes": [{"channel": channel, "address": mask(channel, address)} for channel, address in d.routes],
        "due_at": d.due_at,
        "held_until": d.due_at if d.status == DeliveryStatus.DEFERRED else None,
        "sent_at": d.sent_at,
        "delivered_at": d.delivered_at,
        "seen_at": d.seen_at,
        "within": d.within,
        "escalate_at": d.escalate_at,
        "escalated_from": d.escalated_from,
        "rings_with": d.rings_with,
        "attempts": [attempt(made) for made in attempts],
    }


def attempt(a: Attempt) -> dict[str, Any]:
    return {
        "number": a.number,
        "channel": a.channel,
        "provider": a.provider,
        "account": a.account_name,
        "outcome": a.outcome,
        "code": a.code,
        "detail": a.detail,
        "ms": a.latency_ms,
        "at": a.started_at,
    }


def _escalations(deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    """When and why each chain went on to its next channel."""
    last: dict[UUID, Delivery] = {}
    steps = []
    for d in deliveries:
        root = d.escalated_from or d.rings_with or d.pk
        if d.rings_with not in {None, d.pk}:
            continue  # it rings with one that has told its story
        if d.escalated_from is not None and (before := last.get(root)):
            why = {"decision": d.routes[0][0], "reason": late_reason(before.channel)}
            steps.append({"at": d.created_at, "step": "escalate", "channel": before.channel, **why})
        last[root] = d
    return steps


def trace(
    n: Notification,
    attempts: dict[UUID, list[Attempt]],
    receipts: dict[UUID, list[Receipt]],
    escalations: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Planning's decisions, then what was tried and told, in the order it happened."""
    accepted = {"at": n.created_at, "step": "accept", "decision": "accepted", "reason": ""}
    planned = [{**step, "at": dt.datetime.fromisoformat(step["at"])} for step in n.trace]
    tried = [step for group in attempts.values() for attempt in group for step in _steps(attempt)]
    told = [_told(receipt) for group in receipts.values() for receipt in group]
    return [accepted, *sorted([*planned, *tried, *told, *escalations], key=lambda step: step["at"])]


def _steps(a: Attempt) -> list[dict[str, Any]]:
    """Why this account, and what its outcome led to."""
    common = {"at": a.started_at, "channel": a.channel}
    chosen = {**common, "step": "route", "decision": a.account_name, "reason": a.chosen_because}
    led_to = a.next_step or ("handed over" if a.outcome == "sent" else "")
    outcome = {**common, "step": "attempt", "decision": a.outcome, "reason": led_to, "code": a.code}
    return [chosen, outcome]


def _told(r: Receipt) -> dict[str, Any]:
    return {"at": r.received_at, "step": "receipt", "decision": r.status, "reason": r.detail, "code": r.code}


def batch(row: Batch) -> dict[str, Any]:
    """A batch's state, read off its notifications: one pass over its index."""
    found = (
        Notification.objects.filter(batch_id=row.pk)
        .values_list("status")
        .annotate(count=Count("id"), latest=Max("changed_at"))
    )
    counts = {status: count for status, count, _ in found}
    return {
        "batch_id": row.pk,
        "status": batch_status(counts, expected=row.total_expected, canceled=row.canceled_at is not None),
        "total_expected": row.total_expected,
        "total_accepted": sum(counts.values()),
        "counts": counts,
        "created_at": row.created_at,
        "updated_at": max([row.updated_at, *(latest for _, _, latest in found)]),
    }


def batch_status(counts: dict[str, int], *, expected: int | None, canceled: bool) -> str:
    """Pending until one is planned; completed when all expected have ended; failed when all failed."""
    total = sum(counts.values())
    closed = sum(count for status, count in counts.items() if status in CLOSED)
    if canceled:
        return "canceled"
    if closed == total and total >= (expected or 1):
        return "failed" if counts.get(NotificationStatus.FAILED) == total else "completed"
    waiting = counts.get(NotificationStatus.ACCEPTED, 0) + counts.get(NotificationStatus.SCHEDULED, 0)
    return "pending" if waiting == total else "processing"
