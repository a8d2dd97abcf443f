"""A chunk's way to its recipients: claim, pack, send, settle. The same for every channel.

Claiming and settling are a transaction each; between them, while providers are called, none is open.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Collection, Sequence
from random import Random
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from delivery import consent, loop, queue, receipts, recording, settlement, vitals
from delivery.accounts import Accounts, send_budget
from delivery.models import URGENT
from delivery.packing import Parcel, by_account, pack, with_attachments, with_windows
from delivery.providers.base import Button, ErrorKind, Message, ProviderError, ProviderMisconfigured, Sent
from delivery.providers.http import trace
from delivery.queue import Leg
from delivery.registry import UnknownProvider
from delivery.routing import Account
from delivery.settlement import Call, Settlement
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tracing import traceparent

logger = logging.getLogger(__name__)
_random = Random()

Outcomes = Sequence[Sent | ProviderError]


def run(tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Send what of `ids` is due, and ring for what can go on at once."""
    now = timezone.now()
    with tenant_scope(tenant_id):
        legs = queue.claim(ids, now=now)
        if not legs:
            return
        tenant = Tenant.objects.get(pk=tenant_id)
        accounts = Accounts.of(tenant_id, {leg.channel for leg in legs}, tenant.account_order)
        doubtful = consent.doubtful(tenant, legs, now=now)
    if doubtful:
        legs = _confirmed(tenant, legs, doubtful)
    parcels, settled = pack(legs, accounts, tenant)
    parcels, incomplete = with_attachments(tenant_id, with_windows(tenant_id, parcels))
    settled += incomplete + deliver(parcels, accounts)
    queue.ring(tenant_id, recording.settle(tenant_id, settled))
    vitals.count(s.call for s in settled if s.call is not None)


def _confirmed(tenant: Tenant, legs: Sequence[Leg], doubtful: Collection[UUID]) -> list[Leg]:
    """Without those that may not go after all, or not yet."""
    sound = [leg for leg in legs if leg.id not in doubtful]
    confirmed, ready = consent.confirm(tenant, [leg for leg in legs if leg.id in doubtful])
    queue.ring(tenant.pk, ready)
    return sound + confirmed


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
        window_until=parcel.window_until,
        unsubscribe_url=parcel.unsubscribe_url,
    )


def _outcome(parcel: Parcel, call: Call, accounts: Accounts, now: dt.datetime) -> Settlement:
    if isinstance(call.outcome, Sent):
        return settlement.sent(parcel.leg, call, parcel.content, now)
    leg = parcel.leg
    spent = [*leg.spent_accounts, str(call.choice.account.id)]
    others = accounts.others(leg.channel, leg.address, is_test=leg.is_test, spent=spent)
    return settlement.failed(leg, call.outcome, others=others, now=now, jitter=_random.random(), call=call)
