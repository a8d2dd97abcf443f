"""A worker is lost between the provider and the record, or comes back when others have taken over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from delivery import dispatch, queue, recording, settlement
from delivery.models import Receipt
from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.queue import Leg
from delivery.recovery import recover_expired
from delivery.routing import Account, Choice
from delivery.settlement import Call
from delivery.signals import deliveries_changed
from delivery.tests.factories import (
    SMS,
    attempts,
    create_delivery,
    create_twilio,
    look,
    lose_lease,
    make_due,
    outcomes,
)
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ACCOUNT = Account(id=None, name="one", channel="sms", provider="twilio")


def claim(tenant: Tenant, id: UUID) -> Leg:
    """What a worker does first; then it is never heard of again."""
    make_due(id)
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([id], now=timezone.now())
    return leg


def lost(tenant: Tenant, **over: Any) -> tuple[UUID, Leg]:
    id = create_delivery(tenant, **over)
    leg = claim(tenant, id)
    lose_lease([id])
    return id, leg


def call(outcome: Sent | ProviderError) -> Call:
    return Call(Choice(ACCOUNT, "priority 10"), outcome, timezone.now())


def settle_sent(tenant: Tenant, leg: Leg) -> None:
    recording.settle(tenant.pk, [settlement.sent(leg, call(Sent("SM1")), None, timezone.now())])


def settle_failed(tenant: Tenant, leg: Leg) -> None:
    error = ProviderError(ErrorKind.ADDRESS, "no")
    now = timezone.now()
    settled = settlement.failed(leg, error, others=0, now=now, jitter=0, call=call(error))
    recording.settle(tenant.pk, [settled])


def test_it_works(tenant: Tenant, drain: Callable[[], list[str]], sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    id, _ = lost(tenant)
    assert recover_expired() == 1
    assert (look(id).status, look(id).reason) == ("queued", "retrying")
    assert drain() == ["delivery.dispatch"]
    assert look(id).status == "sent"
    assert [(a.number, a.outcome, a.code) for a in attempts(id)] == [
        (1, "unknown", "lease_expired"),
        (2, "sent", ""),
    ]


@pytest.mark.parametrize(
    ("policy", "status", "reason"),
    [("wait", "sent", "awaiting_receipt"), ("stop", "failed", "outcome_unknown")],
)
def test_it_goes_on_by_policy(tenant: Tenant, policy: str, status: str, reason: str) -> None:
    id, _ = lost(tenant, unknown_policy=policy)
    recover_expired()
    assert (look(id).status, look(id).reason) == (status, reason)
    assert outcomes(id) == [("unknown", "lease_expired")]


def test_it_leaves_alone_what_is_still_being_sent(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    claim(tenant, id)
    assert recover_expired() == 0
    assert look(id).status == "sending"


def test_it_expires_what_nobody_may_send_any_more(tenant: Tenant) -> None:
    id, _ = lost(tenant, deadline=timezone.now() - dt.timedelta(seconds=1))
    recover_expired()
    assert look(id).status == "expired"


def test_a_delivery_that_kills_its_workers_ends_as_a_dead_letter(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    for _ in range(4):
        claim(tenant, id)
        lose_lease([id])
        recover_expired()
    assert (look(id).status, look(id).reason) == ("failed", "retries_spent")
    assert len(attempts(id)) == 4


def test_it_is_not_sent_again_when_a_receipt_proves_that_it_was(
    tenant: Tenant, sandbox: RunningSandbox
) -> None:
    account = create_twilio(tenant, sandbox)
    id, leg = lost(tenant)
    Receipt.objects.create(
        tenant=tenant,
        account_id=account.pk,
        delivery_id=id,
        attempt=leg.attempt,
        provider_message_id="SM1",
        event_id="SM1:sent",
        status="sent",
        occurred_at=timezone.now(),
    )
    recover_expired()
    assert (look(id).status, look(id).account_id) == ("sent", account.pk)
    assert [(a.outcome, a.provider_message_id) for a in attempts(id)] == [("sent", "SM1")]


def test_a_late_success_counts_when_it_would_be_sent_again(tenant: Tenant) -> None:
    id, leg = lost(tenant)
    recover_expired()
    settle_sent(tenant, leg)
    assert look(id).status == "sent"
    assert outcomes(id) == [("unknown", "lease_expired"), ("sent", "")]


def test_a_late_success_stops_nobody_who_is_sending_it_again(tenant: Tenant) -> None:
    id, first = lost(tenant)
    recover_expired()
    second = claim(tenant, id)
    settle_sent(tenant, first)
    settle_sent(tenant, second)
    row = look(id)
    assert row.status == "sent"
    assert [a.number for a in attempts(id)] == [1, 1, 2]


def test_a_late_failure_clobbers_nothing(tenant: Tenant) -> None:
    id, first = lost(tenant)
    recover_expired()
    second = claim(tenant, id)
    settle_failed(tenant, first)
    assert (look(id).status, look(id).attempt) == ("sending", 2)
    settle_sent(tenant, second)
    settle_failed(tenant, first)
    assert look(id).status == "sent"
    assert [a.outcome for a in attempts(id)] == ["unknown", "address", "address", "sent"]


def test_what_is_settled_meanwhile_is_not_surmised_about(tenant: Tenant) -> None:
    id, leg = lost(tenant)
    surmise = settlement.surmised(
        settlement.failed(
            leg,
            ProviderError(ErrorKind.UNKNOWN, "lost"),
            others=0,
            now=timezone.now(),
            jitter=0,
            call=call(ProviderError(ErrorKind.UNKNOWN, "lost")),
        )
    )
    settle_sent(tenant, leg)
    recording.settle(tenant.pk, [surmise])
    assert outcomes(id) == [("sent", "")]
    assert look(id).status == "sent"


def test_a_tenant_that_cannot_be_recovered_does_not_keep_the_others_waiting() -> None:
    broken, whole = create_tenant(), create_tenant()
    (stuck, _), (id, _) = (lost(tenant, unknown_policy="stop") for tenant in (broken, whole))

    def refuse(tenant_id: UUID, **kwargs: Any) -> None:
        if tenant_id == broken.pk:
            raise ValueError("a defect in a receiver")

    deliveries_changed.connect(refuse)
    try:
        recover_expired()
    finally:
        deliveries_changed.disconnect(refuse)
    assert (look(stuck).status, look(id).status) == ("sending", "failed")


def test_a_claim_that_finds_nothing_calls_nobody(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    id, _ = lost(tenant)
    dispatch.run(tenant.pk, [id])
    assert sandbox.messages(to=SMS[1]) == []
