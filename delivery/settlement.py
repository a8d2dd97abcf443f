"""What becomes of a claimed delivery, and writing it down: status, attempt, health and news in one transaction."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection

from delivery.models import Attempt, Delivery, DeliveryStatus, Outcome, ProviderAccount
from delivery.providers.base import Content, ErrorKind, ProviderError, Sent
from delivery.queue import PATIENCE, Leg
from delivery.retries import Action, Policy, State, Step, next_step
from delivery.routing import Account, Choice, health_after
from delivery.signals import Change, deliveries_changed
from preferences.directory import suppress
from preferences.models import Suppression
from tenants.copying import copy_rows
from tenants.ids import new_id

_BLAMES_ACCOUNT = {ErrorKind.TRANSIENT, ErrorKind.ACCOUNT, ErrorKind.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Call:
    """One provider call as it went: an attempt in the making."""

    choice: Choice
    outcome: Sent | ProviderError
    started_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """A leg's next state. `call` is None when no provider was called; `refund` gives the attempt's number back."""

    leg: Leg
    status: DeliveryStatus
    reason: str
    at: dt.datetime
    detail: str = ""
    due_at: dt.datetime | None = None
    route: int = 0
    tries: int = 0
    account_id: UUID | None = None
    spent_accounts: Sequence[str] = ()
    call: Call | None = None
    refund: bool = False
    next_step: str = ""
    content: Content | None = None

    @property
    def is_waiting(self) -> bool:
        return self.status is DeliveryStatus.QUEUED


def sent(leg: Leg, call: Call, content: Content, now: dt.datetime) -> Settlement:
    kept = content if leg.channel == "in_app" else None
    account_id = call.choice.account.id
    return Settlement(
        leg, DeliveryStatus.SENT, "", now, route=leg.route, account_id=account_id, call=call, content=kept
    )


def failed(
    leg: Leg, error: ProviderError, *, others: int, now: dt.datetime, jitter: float, call: Call | None = None
) -> Settlement:
    """After an error, told by a call or later by a receipt. `others`: how many further accounts this route has."""
    state = State(
        tries=leg.tries,
        accounts_left=others > 0,
        routes_left=leg.route + 1 < len(leg.routes),
        deadline=leg.deadline,
        unknown_policy=leg.unknown_policy,
    )
    step = next_step(
        error, state, Policy(retries=settings.NOTIFICATION_RETRY_THRESHOLD), now=now, jitter=jitter
    )
    account_id = call.choice.account.id if call else leg.account_id
    detail = f"{error.code}: {error.message}" if error.code else error.message
    return replace(_after(leg, step, account_id, now), call=call, next_step=step.reason, detail=detail[:500])


def uncalled(
    leg: Leg, step: Step, *, now: dt.datetime, account_id: UUID | None = None, detail: str = ""
) -> Settlement:
    """When no provider was called: held back, expired, unrenderable, or without an account."""
    return replace(_after(leg, step, account_id or leg.account_id, now), refund=True, detail=detail[:500])


def _after(leg: Leg, step: Step, account_id: UUID | None, now: dt.datetime) -> Settlement:
    """The state that a step leads to."""
    here = Settlement(
        leg, DeliveryStatus.QUEUED, "", now, due_at=step.at, route=leg.route, account_id=account_id
    )
    spent = leg.spent_accounts
    match step.action:
        case Action.RETRY:
            return replace(here, reason="retrying", tries=leg.tries + 1, spent_accounts=spent)
        case Action.HOLD:
            return replace(here, reason="rate_limited", tries=leg.tries, spent_accounts=spent)
        case Action.NEXT_ACCOUNT:
            return replace(
                here, reason="next_account", account_id=None, spent_accounts=[*spent, str(account_id)]
            )
        case Action.NEXT_ROUTE:
            return replace(here, reason="next_route", account_id=None, route=leg.route + 1)
        case Action.AWAIT_RECEIPT:
            return replace(here, status=DeliveryStatus.SENT, reason="awaiting_receipt", due_at=None)
        case Action.EXPIRE:
            return replace(here, status=DeliveryStatus.EXPIRED, reason=step.reason, due_at=None)
        case Action.DEAD_LETTER:
            return replace(here, status=DeliveryStatus.FAILED, reason=step.reason, due_at=None)


def write(tenant_id: UUID, settlements: Sequence[Settlement]) -> list[tuple[UUID, str, int]]:
    """Record a chunk, inside its tenant's scope. Returns what is to be rung for at once: (id, channel, priority).

    A worker whose lease ran out finds its rows in other hands: its attempts are kept, and 'sent' still counts
    where the row would otherwise be sent again, but nothing else is changed.
    """
    if not settlements:
        return []
    written = _update(settlements)
    calls = [s for s in settlements if s.call is not None]
    _record_attempts(tenant_id, calls)
    _record_health(calls)
    _suppress(tenant_id, calls)
    settled = [s for s in settlements if s.leg.id in written]
    deliveries_changed.send(
        Delivery, tenant_id=tenant_id, changes=[_change(s) for s in settled if not s.is_waiting]
    )
    return [
        (s.leg.id, s.leg.routes[s.route][0], s.leg.priority)
        for s in settled
        if s.is_waiting and s.due_at is not None and s.due_at <= s.at
    ]


_UPDATE = """
    UPDATE delivery_delivery d
       SET status = s.status, reason = s.reason, detail = s.detail, route = s.route, channel = s.channel,
           address = s.address, attempt = s.attempt, tries = s.tries, account_id = s.account_id,
           spent_accounts = s.spent, due_at = coalesce(s.due_at, d.due_at),
           ring_at = coalesce(s.ring_at, d.ring_at), lease_until = NULL, changed_at = s.at,
           sent_at = CASE WHEN s.status = 'sent' THEN s.at ELSE d.sent_at END
      FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[],
                  %s::int[], %s::int[], %s::uuid[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[],
                  %s::timestamptz[])
        AS s(id, claim, status, reason, detail, route, channel, address, attempt, tries, account_id, spent, due_at,
             ring_at, at)
     WHERE d.id = s.id
       AND (d.status = 'sending' AND d.attempt = s.claim
            OR s.status = 'sent' AND d.status IN ('queued', 'deferred', 'sending'))
    RETURNING d.id
"""


def _update(settlements: Sequence[Settlement]) -> set[UUID]:
    rows = [_row(s) for s in settlements]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [list(column) for column in zip(*rows, strict=True)])
        return {id for (id,) in cursor.fetchall()}


def _row(s: Settlement) -> tuple[Any, ...]:
    channel, address = s.leg.routes[s.route]
    attempt = s.leg.attempt - s.refund
    ring_at = None
    if s.due_at is not None:
        ring_at = s.due_at if s.due_at > s.at else s.at + PATIENCE
    return (
        *(
            s.leg.id,
            s.leg.attempt,
            s.status.value,
            s.reason[:64],
            s.detail,
            s.route,
            channel,
            address,
            attempt,
            s.tries,
        ),
        *(s.account_id, orjson.dumps(list(s.spent_accounts)).decode(), s.due_at, ring_at, s.at),
    )


def _change(s: Settlement) -> Change:
    leg = s.leg
    return Change(
        leg.id, leg.notification_id, leg.recipient_id, leg.channel, s.status.value, s.reason, s.at, s.content
    )


_ATTEMPT = (
    *("id", "tenant_id", "delivery_id", "number", "channel", "provider", "account_id", "account_name"),
    *(
        "chosen_because",
        "outcome",
        "code",
        "detail",
        "provider_message_id",
        "started_at",
        "latency_ms",
        "next_step",
    ),
)


def _record_attempts(tenant_id: UUID, settlements: Iterable[Settlement]) -> None:
    copy_rows(Attempt, _ATTEMPT, (_attempt(tenant_id, s, s.call) for s in settlements if s.call))


def _attempt(tenant_id: UUID, s: Settlement, call: Call) -> tuple[Any, ...]:
    account, outcome = call.choice.account, call.outcome
    if isinstance(outcome, Sent):
        told = (Outcome.SENT.value, "", outcome.detail[:500], outcome.message_id[:255])
    else:
        told = (outcome.kind.value, outcome.code[:64], outcome.message[:500], "")
    return (
        *(
            new_id(),
            tenant_id,
            s.leg.id,
            s.leg.attempt,
            s.leg.channel,
            account.provider,
            account.id,
            account.name,
        ),
        *(call.choice.reason, *told, call.started_at, outcome.latency_ms, s.next_step),
    )


def _record_health(settlements: Iterable[Settlement]) -> None:
    """Take health from the accounts that failed. One that works is not written to: drifting back is computed."""
    calls: dict[Account, list[Call]] = defaultdict(list)
    for s in settlements:
        if s.call is not None and s.call.choice.account.id is not None:
            calls[s.call.choice.account].append(s.call)
    for account, made in sorted(calls.items(), key=lambda item: str(item[0].id)):
        errors = [
            c.outcome
            for c in made
            if isinstance(c.outcome, ProviderError) and c.outcome.kind in _BLAMES_ACCOUNT
        ]
        if errors:
            now = max(call.started_at for call in made)
            ProviderAccount.objects.filter(pk=account.id).update(
                health=health_after(account, failed=len(errors), of=len(made), now=now),
                health_at=now,
                health_reason=f"{len(errors)} of {len(made)} failed, the last: {errors[-1].message}"[:200],
            )


def _suppress(tenant_id: UUID, settlements: Iterable[Settlement]) -> None:
    """An address that the provider says will never work is not tried again."""
    refused = [
        (s.leg.channel, s.leg.address)
        for s in settlements
        if s.call and isinstance(s.call.outcome, ProviderError) and s.call.outcome.permanent
    ]
    if refused:
        suppress(tenant_id, [(*where, Suppression.Reason.INVALID.value) for where in refused])
