"""From claimed deliveries to parcels: routed, rendered, within the rate, with their files."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

import orjson
from django.db import OperationalError
from django.utils import timezone
from pydantic import ValidationError

from delivery import attachments, fetching, inbound, queue, rates, settlement
from delivery.accounts import Accounts
from delivery.links import Links, links_of
from delivery.models import HELD
from delivery.providers.base import Attachment, Content, ProviderError
from delivery.queue import Leg
from delivery.retries import Action, Step
from delivery.routing import Account, Choice, NoAccount, choose
from delivery.settlement import Settlement
from delivery.text_messages import fit, overrides_of
from templates_app.overrides import checked
from templates_app.rendering import RenderError, RenderRequest, Words, render_many
from templates_app.segments import SmsPolicy
from tenants.context import tenant_scope
from tenants.models import Tenant

logger = logging.getLogger(__name__)
_random = Random()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A leg ready to go: who carries it, and what it says."""

    leg: Leg
    choice: Choice
    content: Content
    attachments: tuple[Attachment, ...] = ()
    window_until: dt.datetime | None = None
    unsubscribe_url: str = ""

    @property
    def overrides(self) -> Mapping[str, Any]:
        return overrides_of(self.leg, self.content)


Prepared = tuple[list[Parcel], list[Settlement]]


def pack(legs: Sequence[Leg], accounts: Accounts, tenant: Tenant) -> Prepared:
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
    parts = [pack([leg], accounts, tenant) for leg in legs]
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
    links = links_of([leg for leg, _ in chosen], tenant)
    for (leg, choice), own, words in zip(chosen, links, render(links, tenant), strict=True):
        if isinstance(words, RenderError):
            settled.append(_unrenderable(leg, words, now))
        else:
            parcels.append(Parcel(leg, choice, words, unsubscribe_url=own.in_headers()))
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


def render(links: Sequence[Links], tenant: Tenant) -> list[Content | RenderError]:
    """What each leg says when it goes out: ready content, or a template by its pinned version."""
    legs = [own.leg for own in links]
    requests = [
        RenderRequest(
            leg.template_version_id,
            leg.channel,
            leg.locale,
            tenant.locale,
            leg.payload["data"],
            leg.payload.get("timezone", tenant.timezone),
            own.words,
        )
        for leg, own in zip(legs, links, strict=True)
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


def with_windows(tenant_id: UUID, parcels: Sequence[Parcel]) -> list[Parcel]:
    """The parcels with the time until which their recipient may be written to freely; a query a channel."""
    known: dict[inbound.Heard, dt.datetime] = {}
    for channel in inbound.WINDOWS.keys() & {parcel.leg.channel for parcel in parcels}:
        with tenant_scope(tenant_id):
            known |= inbound.windows(
                channel, (_heard(parcel) for parcel in parcels if parcel.leg.channel == channel)
            )
    if not known:
        return list(parcels)
    return [replace(parcel, window_until=known.get(_heard(parcel))) for parcel in parcels]


def _heard(parcel: Parcel) -> inbound.Heard:
    return parcel.choice.account.id, parcel.leg.address


def with_attachments(tenant_id: UUID, parcels: Sequence[Parcel]) -> Prepared:
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
