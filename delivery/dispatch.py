"""A chunk's way to its recipients: claim, route, render, send, settle. The same for every channel.

Claiming and settling are a transaction each; between them, while providers are called, none is open.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from delivery import loop, queue, rates, settlement
from delivery.accounts import Accounts
from delivery.providers.base import (
    Content,
    ErrorKind,
    Message,
    ProviderError,
    ProviderMisconfigured,
    Sent,
)
from delivery.queue import Leg
from delivery.registry import UnknownProvider
from delivery.retries import Action, Step
from delivery.routing import Account, Choice, NoAccount, choose
from delivery.settlement import Call, Settlement
from templates_app.rendering import RenderError, RenderRequest, Words, render_many
from tenants.context import installation_scope, tenant_scope
from tenants.models import Tenant

logger = logging.getLogger(__name__)
_random = Random()

Outcomes = Sequence[Sent | ProviderError]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A leg ready to go: who carries it, and what it says."""

    leg: Leg
    choice: Choice
    content: Content


def run(tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Send what of `ids` is due, and ring for what can go on at once."""
    with tenant_scope(tenant_id):
        legs = queue.claim(ids, now=timezone.now())
        if not legs:
            return
        accounts = Accounts.of(tenant_id, {leg.channel for leg in legs})
        locale = Tenant.objects.values_list("locale", flat=True).get(pk=tenant_id)
    parcels, settled = prepare(legs, accounts, fallback_locale=locale, now=timezone.now())
    settled += deliver(parcels, accounts)
    with tenant_scope(tenant_id):
        again = settlement.write(tenant_id, settled)
    queue.ring(tenant_id, again)


def prepare(
    legs: Sequence[Leg], accounts: Accounts, *, fallback_locale: str, now: dt.datetime
) -> tuple[list[Parcel], list[Settlement]]:
    """Route and render. What cannot go now is settled without a call: expired, no account, unrenderable, held."""
    settled: list[Settlement] = []
    chosen: list[tuple[Leg, Choice]] = []
    for leg in legs:
        if leg.deadline is not None and leg.deadline <= now:
            settled.append(_stop(leg, Action.EXPIRE, "expired", now))
        elif isinstance(choice := _choose(leg, accounts, now), Choice):
            chosen.append((leg, choice))
        else:
            settled.append(_without_account(leg, choice, now))
    parcels: list[Parcel] = []
    for (leg, choice), words in zip(chosen, render([leg for leg, _ in chosen], fallback_locale), strict=True):
        if isinstance(words, RenderError):
            settled.append(_unrenderable(leg, words, now))
        else:
            parcels.append(Parcel(leg, choice, words))
    return _within_rate(parcels, settled, now)


def _choose(leg: Leg, accounts: Accounts, now: dt.datetime) -> Choice | NoAccount:
    candidates = accounts.candidates(leg.channel, is_test=leg.is_test)
    return choose(candidates, spent=leg.spent_accounts, stay_with=leg.account_id, now=now, random=_random)


def _stop(leg: Leg, action: Action, reason: str, now: dt.datetime, detail: str = "") -> Settlement:
    """Go on to the next route where there is one, else end here by `action`."""
    has_route = leg.route + 1 < len(leg.routes) and action is not Action.EXPIRE
    step = Step(Action.NEXT_ROUTE if has_route else action, reason, now)
    return settlement.uncalled(leg, step, now=now, detail=detail)


def _without_account(leg: Leg, none: NoAccount, now: dt.datetime) -> Settlement:
    """Wait for an account that rests, unless another route is open; without one to wait for, that is the end."""
    if none.well_at is not None and leg.route + 1 == len(leg.routes):
        if leg.deadline is not None and none.well_at >= leg.deadline:
            return _stop(leg, Action.EXPIRE, "expired", now, none.reason)
        return settlement.uncalled(
            leg, Step(Action.HOLD, none.reason, none.well_at), now=now, detail=none.reason
        )
    return _stop(leg, Action.DEAD_LETTER, "no_account", now, none.reason)


def _unrenderable(leg: Leg, error: RenderError, now: dt.datetime) -> Settlement:
    logger.warning("a delivery cannot be rendered", extra={"delivery": leg.id, "code": error.code})
    return _stop(leg, Action.DEAD_LETTER, error.code, now, str(error))


def render(legs: Sequence[Leg], fallback_locale: str) -> list[Content | RenderError]:
    """The words of each leg: ready content as it is, a template by its pinned version."""
    requests = [
        RenderRequest(leg.template_version_id, leg.channel, leg.locale, fallback_locale, leg.payload["data"])
        for leg in legs
        if leg.template_version_id is not None
    ]
    rendered = iter(render_many(requests))
    return [
        Content(**leg.payload["content"]) if leg.template_version_id is None else _content(next(rendered))
        for leg in legs
    ]


def preview(leg: Leg, channel: str, fallback_locale: str) -> Content | RenderError:
    """The words that a leg would have by another of its channels."""
    return render([replace(leg, channel=channel)], fallback_locale)[0]


def _content(words: Words | RenderError) -> Content | RenderError:
    return words if isinstance(words, RenderError) else Content(*words)


def _within_rate(
    parcels: list[Parcel], settled: list[Settlement], now: dt.datetime
) -> tuple[list[Parcel], list[Settlement]]:
    """Hold back what is over its account's rate: each a little later than the one before, behind those already held."""
    allowed: list[Parcel] = []
    for account, group in by_account(parcels).items():
        granted = rates.take(account, len(group))
        allowed += group[:granted]
        if held := group[granted:]:
            rate = account.rate_per_second or 1
            behind = queue.held_back(account.id)
            for place, parcel in enumerate(held, 1):
                at = now + dt.timedelta(seconds=(behind + place) / rate)
                settled.append(_hold(parcel, at, now))
    return allowed, settled


def _hold(parcel: Parcel, at: dt.datetime, now: dt.datetime) -> Settlement:
    leg, account = parcel.leg, parcel.choice.account
    if leg.deadline is not None and at >= leg.deadline:
        return _stop(leg, Action.EXPIRE, "expired", now, f"{account.name} is at its rate until the deadline")
    step = Step(Action.HOLD, f"{account.name} is at its rate", at)
    return settlement.uncalled(leg, step, account_id=account.id, now=now)


def by_account(parcels: Sequence[Parcel]) -> dict[Account, list[Parcel]]:
    groups: dict[Account, list[Parcel]] = defaultdict(list)
    for parcel in parcels:
        groups[parcel.choice.account].append(parcel)
    return groups


def deliver(parcels: Sequence[Parcel], accounts: Accounts) -> list[Settlement]:
    """Call the providers, all accounts at once, and decide what each outcome leads to."""
    groups = by_account(parcels)
    started_at = timezone.now()
    results = loop.run(_send_all(groups, accounts))
    now = timezone.now()
    return [
        _outcome(parcel, Call(parcel.choice, outcome, started_at), accounts, now)
        for group, outcomes in zip(groups.values(), results, strict=True)
        for parcel, outcome in zip(group, outcomes, strict=True)
    ]


async def _send_all(groups: dict[Account, list[Parcel]], accounts: Accounts) -> list[Outcomes]:
    return await asyncio.gather(*(_send(account, group, accounts) for account, group in groups.items()))


async def _send(account: Account, group: Sequence[Parcel], accounts: Accounts) -> Outcomes:
    """One account's outcomes, in order. Whatever its provider does, each message has one before the lease runs out."""
    try:
        provider = accounts.instance(account)
        async with asyncio.timeout(settings.NOTIFICATION_LEASE_SECONDS * 0.75):
            return await provider.send([_message(parcel) for parcel in group])
    except (ProviderMisconfigured, UnknownProvider) as misconfigured:
        logger.error(
            "an account is misconfigured", extra={"account": account.id, "provider": account.provider}
        )
        error = ProviderError(ErrorKind.ACCOUNT, str(misconfigured), code="misconfigured")
    except TimeoutError:
        error = ProviderError(ErrorKind.UNKNOWN, "the provider took as long as the lease", code="timeout")
    except Exception:
        logger.exception("a provider raised what it should not", extra={"provider": account.provider})
        error = ProviderError(ErrorKind.UNKNOWN, "a defect in the provider", code="defect")
    return [error] * len(group)


def _message(parcel: Parcel) -> Message:
    leg = parcel.leg
    overrides = leg.payload.get("overrides", {}).get(leg.channel, {})
    return Message(leg.id, f"{leg.id}.{leg.attempt}", leg.address, parcel.content, overrides)


def _outcome(parcel: Parcel, call: Call, accounts: Accounts, now: dt.datetime) -> Settlement:
    leg = parcel.leg
    if isinstance(call.outcome, Sent):
        return settlement.sent(leg, call, parcel.content, now)
    others = accounts.others(
        leg.channel, is_test=leg.is_test, spent=[*leg.spent_accounts, str(call.choice.account.id)]
    )
    return settlement.failed(leg, call.outcome, others=others, now=now, jitter=_random.random(), call=call)


def recover_expired() -> int:
    """End, as `unknown`, the attempts whose worker died, and go on by each category's policy. How many they were."""
    now = timezone.now()
    with installation_scope():
        lost = queue.lost(now=now)
        again = {
            tenant_id: settlement.write(tenant_id, [_lost(leg, now) for leg in legs])
            for tenant_id, legs in lost.items()
        }
    for tenant_id, waiting in again.items():
        queue.ring(tenant_id, waiting)
    return sum(map(len, lost.values()))


def _lost(leg: Leg, now: dt.datetime) -> Settlement:
    """The account that was being called is not known: the claim does not say, only the settling does."""
    account = Account(id=None, name="", channel=leg.channel, provider="")
    error = ProviderError(
        ErrorKind.UNKNOWN, "the worker was lost before the outcome was recorded", code="lease_expired"
    )
    call = Call(Choice(account, "lease ran out"), error, now)
    return settlement.failed(leg, error, others=0, now=now, jitter=_random.random(), call=call)
