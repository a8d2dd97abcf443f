"""What becomes of a claimed delivery: from an outcome to its next state. Pure; `recording` writes it down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.conf import settings

from delivery.models import PARKED, WAITING, DeliveryStatus
from delivery.providers.base import Content, ProviderError, Sent
from delivery.queue import Leg
from delivery.retries import Action, Policy, State, Step, next_step
from delivery.routing import Choice
from tenants.ids import made_at, new_id


@dataclass(frozen=True, slots=True)
class Call:
    """One provider call as it went: an attempt in the making. `id` will be the attempt's."""

    choice: Choice
    outcome: Sent | ProviderError
    started_at: dt.datetime
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A leg's next state.

    `call` is None when no provider was called; `refund` then gives the attempt's number back. A surmise is
    what is made of a lost worker's call: it counts only as long as nobody knows better. `gave_up` is why it
    goes on to the next route; what has let go leaves that to others (see `siblings`). `steps` are decisions
    for the notification's trace, where it was decided again (see `consent`).
    """

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
    is_surmise: bool = False
    has_let_go: bool = False
    next_step: str = ""
    gave_up: str = ""
    content: Content | None = None
    steps: Sequence[Mapping[str, Any]] = ()

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    @property
    def escalate_at(self) -> dt.datetime | None:
        """When the next channel's turn comes; never at or past the deadline."""
        leg = self.leg
        if leg.within is None or self.status is not DeliveryStatus.SENT:
            return None
        at = self.at + dt.timedelta(seconds=leg.within)
        is_over = leg.deadline is not None and leg.deadline <= at
        return None if is_over or onward(leg.routes, self.route) is None else at


SEEN_COUNTS = ("in_app", "push")
"""Channels where having arrived says little: a chain goes on until the recipient has seen it."""
_LATE = {True: "not_seen_in_time", False: "not_delivered_in_time"}


def late_reason(channel: str) -> str:
    """Why a chain went on from this channel."""
    return _LATE[channel in SEEN_COUNTS]


def onward(routes: Sequence[Sequence[str]], route: int) -> int | None:
    """The first route by another channel after this one.

    Further addresses of the same channel are for when this one fails, not for when nobody looks.
    """
    channel = routes[route][0]
    return next((i for i in range(route + 1, len(routes)) if routes[i][0] != channel), None)


def sent(leg: Leg, call: Call, content: Content | None, now: dt.datetime) -> Settlement:
    """The vendor took it. Tries and spent accounts are kept: a receipt may yet say that it failed."""
    return Settlement(
        leg,
        DeliveryStatus.SENT,
        "",
        now,
        route=leg.route,
        tries=leg.tries,
        account_id=call.choice.account.id,
        spent_accounts=leg.spent_accounts,
        call=call,
        content=content if leg.channel == "in_app" else None,
    )


def failed(
    leg: Leg, error: ProviderError, *, others: int, now: dt.datetime, jitter: float, call: Call | None = None
) -> Settlement:
    """After an error, told by a call or later by a receipt. `others`: further accounts of this route.

    One whose successor has its turn already is not sent again.
    """
    policy = Policy(retries=settings.NOTIFICATION_RETRY_THRESHOLD)
    is_overtaken = leg.reason in _LATE.values()
    state = State(
        tries=policy.retries if is_overtaken else leg.tries,
        accounts_left=others > 0 and not is_overtaken,
        routes_left=leg.route + 1 < len(leg.routes) and not is_overtaken,
        deadline=leg.deadline,
        unknown_policy=leg.unknown_policy,
        calls=leg.attempt,
        may_park=not is_overtaken and _is_young(leg, now),
    )
    step = next_step(error, state, policy, now=now, jitter=jitter)
    account_id = call.choice.account.id if call else leg.account_id
    detail = f"{error.code}: {error.message}" if error.code else error.message
    return replace(_after(leg, step, account_id, now), call=call, next_step=step.reason, detail=detail)


def _is_young(leg: Leg, now: dt.datetime) -> bool:
    return now - made_at(leg.id) < dt.timedelta(hours=settings.NOTIFICATION_PARK_HOURS)


def surmised(settlement: Settlement) -> Settlement:
    """What is made of a call that nobody saw the end of."""
    return replace(settlement, is_surmise=True)


def let_go(s: Settlement) -> Settlement:
    """What would go on to the next route ends instead, for the reason that it gave up for."""
    is_late = s.gave_up.startswith("deadline")
    unsent = DeliveryStatus.SUPPRESSED if s.steps else DeliveryStatus.FAILED
    return replace(
        s,
        status=DeliveryStatus.EXPIRED if is_late else unsent,
        reason="expired" if is_late else s.gave_up.replace(" ", "_"),
        due_at=None,
        route=s.leg.route,
        account_id=s.call.choice.account.id if s.call else s.leg.account_id,
        has_let_go=True,
        steps=s.steps[:1],
        next_step=f"{s.gave_up}: the chain goes on without it",
    )


def uncalled(
    leg: Leg,
    step: Step,
    *,
    now: dt.datetime,
    account_id: UUID | None = None,
    reason: str = "",
    detail: str = "",
) -> Settlement:
    """When no provider was called: held back, expired, unrenderable, or without an account."""
    after = _after(leg, step, account_id or leg.account_id, now)
    return replace(after, reason=reason or after.reason, refund=True, detail=detail)


def _after(  # noqa: PLR0911 - one for each step
    leg: Leg, step: Step, account_id: UUID | None, now: dt.datetime
) -> Settlement:
    """The state that a step leads to."""
    here = Settlement(
        leg, DeliveryStatus.QUEUED, step.reason, now, due_at=step.at, route=leg.route, account_id=account_id
    )
    match step.action:
        case Action.RETRY:
            return replace(here, reason="retrying", tries=leg.tries + 1, spent_accounts=leg.spent_accounts)
        case Action.HOLD:
            return replace(here, reason="rate_limited", tries=leg.tries, spent_accounts=leg.spent_accounts)
        case Action.PARK:
            return replace(here, reason=PARKED, account_id=None)
        case Action.NEXT_ACCOUNT:
            spent = [*leg.spent_accounts, str(account_id)]
            return replace(here, reason="next_account", account_id=None, spent_accounts=spent)
        case Action.NEXT_ROUTE:
            why = step.reason.partition(":")[0]
            return replace(here, reason="next_route", account_id=None, route=leg.route + 1, gave_up=why)
        case Action.AWAIT_RECEIPT:
            kept = replace(here, tries=leg.tries, spent_accounts=leg.spent_accounts, due_at=None)
            return replace(kept, status=DeliveryStatus.SENT, reason="awaiting_receipt")
        case Action.EXPIRE | Action.DEAD_LETTER:
            return replace(here, status=_ENDS[step.action], due_at=None)


_ENDS = {Action.EXPIRE: DeliveryStatus.EXPIRED, Action.DEAD_LETTER: DeliveryStatus.FAILED}
