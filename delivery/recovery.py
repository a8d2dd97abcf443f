"""Deliveries whose worker was lost between provider and record: nobody knows whether they were sent."""

from __future__ import annotations

import datetime as dt
import logging
from random import random
from uuid import UUID

from django.utils import timezone

from delivery import queue, recording, settlement
from delivery.models import Receipt
from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.queue import Leg
from delivery.routing import Account, Choice
from delivery.settlement import Call, Settlement
from tenants.context import tenant_scope

logger = logging.getLogger(__name__)

_SURMISE = "the worker was lost before the outcome was recorded"
Acknowledged = dict[tuple[UUID, int], Receipt]


def recover_expired() -> int:
    """End, as `unknown`, the attempts whose lease ran out, and go on by each category's policy. How many.

    A tenant at a time, so that one whose rows cannot be settled does not keep the others waiting.
    """
    now = timezone.now()
    found = 0
    for tenant_id in queue.tenants_with_lost(now=now):
        try:
            found += _recover(tenant_id, now)
        except Exception:
            logger.exception("lost deliveries cannot be recovered", extra={"tenant": tenant_id})
    return found


def _recover(tenant_id: UUID, now: dt.datetime) -> int:
    with tenant_scope(tenant_id):
        lost = queue.lost(tenant_id, now=now)
        acknowledged = _acknowledged(lost)
    settled = [_settlement(leg, acknowledged.get((leg.id, leg.attempt)), now) for leg in lost]
    queue.ring(tenant_id, recording.settle(tenant_id, settled))
    return len(lost)


def _acknowledged(legs: list[Leg]) -> Acknowledged:
    """The attempts that the vendor has spoken of since: it took them, so they are not to be made again."""
    rows = Receipt.objects.filter(delivery_id__in=[leg.id for leg in legs]).order_by("received_at")
    return {(row.delivery_id, row.attempt): row for row in rows if row.delivery_id and row.attempt}


def _settlement(leg: Leg, receipt: Receipt | None, now: dt.datetime) -> Settlement:
    """The account that was being called is not known: the claim does not say, only the settling does."""
    account = Account(id=receipt.account_id if receipt else None, name="", channel=leg.channel, provider="")
    choice = Choice(account, "lease ran out")
    if receipt is not None:
        call = Call(choice, Sent(receipt.provider_message_id, f"{_SURMISE}; its receipt proves it"), now)
        return settlement.surmised(settlement.sent(leg, call, None, now))
    error = ProviderError(ErrorKind.UNKNOWN, _SURMISE, code="lease_expired")
    call = Call(choice, error, now)
    jitter = random()
    return settlement.surmised(settlement.failed(leg, error, others=0, now=now, jitter=jitter, call=call))
