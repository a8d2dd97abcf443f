"""A chunk's way to its recipients: claim, route, render, send, settle. The same for every channel.

Claiming and settling are a transaction each; between them, while providers are called, none is open.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.utils import timezone
from pydantic import ValidationError

from delivery import (
    attachments,
    fetching,
    loop,
    queue,
    rates,
    receipts,
    recording,
    settlement,
    vitals,
)
from delivery.accounts import Accounts, send_budget
from delivery.models import HELD, URGENT
from delivery.providers.base import (
    Attachment,
    Button,
    Content,
    ErrorKind,
    Message,
    ProviderError,
    ProviderMisconfigured,
    Sent,
)
from delivery.providers.http import trace
from delivery.queue import Leg
from delivery.registry import UnknownProvider
from delivery.retries import Action, Step
from delivery.routing import Account, Choice, NoAccount, choose
from delivery.settlement import Call, Settlement
from delivery.text_messages import fit, overrides_of
from templates_app.overrides import checked
from templates_app.rendering import RenderError, RenderRequest, Words, render_many
from templates_app.segments import SmsPolicy
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tracing import traceparent

logger = logging.getLogger(__name__)
_random = Random()

Outcomes = Sequence[Sent | ProviderError]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A leg ready to go: who carries it, and what it says."""

    leg: Leg
    choice: Choice
    content: Content
    attachments: tuple[Attachment, ...] = ()

    @property
    def overrides(self) -> Mapping[str, Any]:
        return overrides_of(self.leg, self.content)


def run(tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Send what of `ids` is due, and ring for what can go on at once."""
    with tenant_scope(tenant_id):
        legs = queue.claim(ids, now=timezone.now())
        if not legs:
            return
        tenant = Tenant.objects.get(pk=tenant_id)
        accounts = Accounts.of(tenant_id, {leg.channel for leg in legs}, tenant.account_order)
    parcels, settled = _isolated(legs, accounts, tenant)
    parcels, incomplete = _with_attachments(tenant_id, parcels)
    settled += incomplete + deliver(parcels, accounts)
    queue.ring(tenant_id, recording.settle(tenant_id, settled))
    vitals.count(s.call for s in settled if s.call is not None)


Prepared = tuple[list["Parcel"], list[Settlement]]


def _isolated(legs: Sequence[Leg], accounts: Accounts, tenant: Tenant) -> Prepared:
    """As `prepare`; a leg that cannot be prepared for a defect of ours ends alone, and not with its chunk."""
    now = timezone.now()
    try:
        return prepare(legs, accounts, tenant=tenant, now=now)
    except OperationalError:
        raise
    except Exception as error:
        if len(legs) == 1:
            logger.exception("a delivery cannot be prepared", extra={"delivery": legs[0].id})
            return [], [_stop(legs[0], Action.DEAD_LETTER, "defect", now, type(error).__name__)]
    parts = [_isolated([leg], accounts, tenant) for leg in legs]
    return [p for parcels, _ in parts for p in parcels], [s for _, settled in parts for s in settled]


def prepare(legs: Sequence[Leg], accounts: Accounts, *, tenant: Tenant, now: dt.datetime) -> Prepared:
    """Route and render. What cannot go now is settled uncalled: expired, no account, unrenderable, held."""
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
    for (leg, choice), words in zip(chosen, render([leg for leg, _ in chosen], tenant), strict=True):
        if isinstance(words, RenderError):
            settled.append(_unrenderable(leg, words, now))
        else:
            parcels.append(Parcel(leg, choice, words))
    return _within_rate(parcels, settled, now)


def _choose(leg: Leg, accounts: Accounts, now: dt.datetime) -> Choice | NoAccount:
    candidates = accounts.candidates(leg.channel, leg.address, is_test=leg.is_test)
    return choose(candidates, spent=leg.spent_accounts, stay_with=leg.account_id, now=now, random=_random)


def _stop(leg: Leg, action: Action, reason: str, now: dt.datetime, detail: str = "") -> Settlement:
    """Go on to the next route where there is one, else end here by `action`."""
    has_route = leg.route + 1 < len(leg.routes) and action is not Action.EXPIRE
    step = Step(Action.NEXT_ROUTE if has_route else action, reason, now)
    return settlement.uncalled(leg, step, now=now, detail=detail)


def _without_account(leg: Leg, none: NoAccount, now: dt.datetime) -> Settlement:
    """Wait for an account that rests, unless another route is open; with none to wait for, it ends."""
    if none.well_at is None or leg.route + 1 < len(leg.routes):
        return _stop(leg, Action.DEAD_LETTER, "no_account", now, none.reason)
    return _hold(leg, none.well_at, now, reason="accounts_resting", detail=none.reason)


def _unrenderable(leg: Leg, error: RenderError, now: dt.datetime) -> Settlement:
    logger.warning("a delivery cannot be rendered", extra={"delivery": leg.id, "code": error.code})
    return _stop(leg, Action.DEAD_LETTER, error.code, now, str(error))


def render(legs: Sequence[Leg], tenant: Tenant) -> list[Content | RenderError]:
    """What each leg says when it goes out: ready content, or a template by its pinned version."""
    requests = [
        RenderRequest(leg.template_version_id, leg.channel, leg.locale, tenant.locale, leg.payload["data"])
        for leg in legs
        if leg.template_version_id is not None
    ]
    rendered = iter(render_many(requests))
    contents = [
        Content(**leg.payload["content"])
        if leg.template_version_id is None
        else _content(leg.channel, next(rendered))
        for leg in legs
    ]
    policy = SmsPolicy.of(tenant)
    return [fit(leg, content, policy) for leg, content in zip(legs, contents, strict=True)]


def _content(channel: str, words: Words | RenderError) -> Content | RenderError:
    if isinstance(words, RenderError):
        return words
    try:
        overrides = checked(channel, orjson.loads(words.overrides)) if words.overrides else {}
        return Content(words.subject, words.title, words.body, words.html, overrides)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        return RenderError("invalid_overrides", f"The data make {place} what it cannot be.", "overrides")


def _within_rate(parcels: list[Parcel], settled: list[Settlement], now: dt.datetime) -> Prepared:
    """Hold back what is over its account's rate."""
    allowed: list[Parcel] = []
    for account, group in by_account(parcels).items():
        group.sort(key=lambda parcel: parcel.leg.reason != HELD)
        granted = rates.take(account, len(group))
        allowed += group[:granted]
        if granted < len(group):
            settled += _held_back(account, group[granted:], now)
    return allowed, settled


def _held_back(account: Account, group: Sequence[Parcel], now: dt.datetime) -> list[Settlement]:
    """Each a little later than the one before. Newcomers go behind those who waited before."""
    rate = account.rate_per_second or 1
    behind = queue.held_back(account.id, max(parcel.leg.priority for parcel in group))
    settled = []
    for place, parcel in enumerate(group, 1):
        before = place if parcel.leg.reason == HELD else behind + place
        at = now + dt.timedelta(seconds=before / rate)
        detail = f"{account.name} is at its rate"
        settled.append(_hold(parcel.leg, at, now, reason=HELD, detail=detail, account_id=account.id))
    return settled


def _hold(
    leg: Leg, at: dt.datetime, now: dt.datetime, *, reason: str, detail: str, account_id: UUID | None = None
) -> Settlement:
    """Wait until `at`, without a call; a deadline before that is the end."""
    if leg.deadline is not None and at >= leg.deadline:
        return _stop(leg, Action.EXPIRE, "expired", now, f"{detail} until the deadline")
    step = Step(Action.HOLD, detail, at)
    return settlement.uncalled(leg, step, now=now, account_id=account_id, reason=reason, detail=detail)


def _with_attachments(tenant_id: UUID, parcels: Sequence[Parcel]) -> Prepared:
    """The parcels with their files, each read or fetched once; those that lack one are settled."""
    wanted = {parcel.leg.id: found for parcel in parcels if (found := parcel.overrides.get("attachments"))}
    if not wanted:
        return list(parcels), []
    references = [reference for found in wanted.values() for reference in found]
    stored = {reference["sha256"] for reference in references if "sha256" in reference}
    urls = {reference["url"] for reference in references if "sha256" not in reference}
    loaded: attachments.Loaded = {**attachments.load_all(tenant_id, stored), **fetching.fetch(urls)}
    complete: list[Parcel] = []
    settled: list[Settlement] = []
    for parcel in parcels:
        try:
            files = attachments.attached(wanted.get(parcel.leg.id, ()), loaded)
            complete.append(replace(parcel, attachments=files))
        except ProviderError as error:
            settled.append(_incomplete(parcel.leg, error))
    return complete, settled


def _incomplete(leg: Leg, error: ProviderError) -> Settlement:
    """Another account would lack the file as well: it is tried again, and then the next route is taken."""
    return settlement.failed(leg, error, others=0, now=timezone.now(), jitter=_random.random())


def by_account(parcels: Sequence[Parcel]) -> dict[Account, list[Parcel]]:
    groups: dict[Account, list[Parcel]] = defaultdict(list)
    for parcel in parcels:
        groups[parcel.choice.account].append(parcel)
    return groups


def deliver(parcels: Sequence[Parcel], accounts: Accounts) -> list[Settlement]:
    """Call the providers, all accounts at once, and decide what each outcome leads to."""
    if not parcels:
        return []
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
    trace.set(traceparent())  # a task's own context: nothing to put back
    return await asyncio.gather(*(_send(account, group, accounts) for account, group in groups.items()))


async def _send(account: Account, group: Sequence[Parcel], accounts: Accounts) -> Outcomes:
    """One account's outcomes, in order, before the lease runs out, whatever its provider does."""
    try:
        provider = accounts.instance(account, receipts.report)
    except Exception as error:  # an account that cannot be used has called nobody
        about = {"account": account.id, "provider": account.provider}
        logger.exception("an account is misconfigured", extra=about)
        return [ProviderError(ErrorKind.ACCOUNT, _words(error), code="misconfigured")] * len(group)
    try:
        async with asyncio.timeout(send_budget()):
            return _checked(await provider.send([_message(parcel) for parcel in group]), len(group))
    except TimeoutError:
        unknown = ProviderError(ErrorKind.UNKNOWN, "the provider took as long as the lease", code="timeout")
    except Exception:
        logger.exception("a provider raised what it should not", extra={"provider": account.provider})
        unknown = ProviderError(ErrorKind.UNKNOWN, "a defect in the provider", code="defect")
    return [unknown] * len(group)


def _words(error: Exception) -> str:
    """What an operator may read of it: our own words, and of others only what kind of error it was."""
    known = isinstance(error, ProviderMisconfigured | UnknownProvider | ImproperlyConfigured)
    return str(error) if known else type(error).__name__


def _checked(outcomes: Outcomes, expected: int) -> Outcomes:
    if len(outcomes) != expected or not all(isinstance(o, Sent | ProviderError) for o in outcomes):
        raise TypeError("a provider answers a Sent or a ProviderError for each message")
    return outcomes


def _message(parcel: Parcel) -> Message:
    leg = parcel.leg
    action = leg.payload.get("action")
    return Message(
        id=leg.id,
        reference=f"{leg.id}.{leg.attempt}",
        to=leg.address,
        content=parcel.content,
        overrides={name: value for name, value in parcel.overrides.items() if name != "attachments"},
        notification_id=leg.notification_id,
        template_version_id=leg.template_version_id,
        category=leg.category,
        locale=leg.locale,
        data=leg.payload.get("data", {}),
        action=Button(**action) if action else None,
        attachments=parcel.attachments,
        is_urgent=leg.priority == URGENT,
        expires_at=leg.deadline,
        badge=leg.payload.get("badge"),
    )


def _outcome(parcel: Parcel, call: Call, accounts: Accounts, now: dt.datetime) -> Settlement:
    if isinstance(call.outcome, Sent):
        return settlement.sent(parcel.leg, call, parcel.content, now)
    leg = parcel.leg
    spent = [*leg.spent_accounts, str(call.choice.account.id)]
    others = accounts.others(leg.channel, leg.address, is_test=leg.is_test, spent=spent)
    return settlement.failed(leg, call.outcome, others=others, now=now, jitter=_random.random(), call=call)
