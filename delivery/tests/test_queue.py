from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from delivery import intervening, queue
from delivery.models import HELD, Delivery, DeliveryStatus
from delivery.queue import PATIENCE
from delivery.tests.factories import EMAIL, SMS, create_deliveries, create_delivery, look
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.outages import nowhere

pytestmark = pytest.mark.django_db


def claim(tenant: Tenant, ids: list[UUID], now: dt.datetime | None = None) -> list[UUID]:
    with tenant_scope(tenant.pk):
        return [leg.id for leg in queue.claim(ids, now=now or timezone.now())]


@contextmanager
def broker_away() -> Iterator[None]:
    """What is sent goes to an address where nobody listens."""
    known = current_app.conf.broker_url
    _use_broker(nowhere())
    try:
        yield
    finally:
        _use_broker(known)


def _use_broker(url: str) -> None:
    app: Any = current_app
    app.conf.broker_url = url
    app._pool = app.amqp._producer_pool = None


def test_it_works(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    now = timezone.now()
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([id], now=now)
    assert (leg.id, leg.attempt, leg.routes, leg.reason) == (id, 1, [list(SMS)], "")
    row = look(id)
    assert (row.status, row.attempt) == ("sending", 1)
    assert row.lease_until == now + dt.timedelta(seconds=60)


def test_it_claims_once(tenant: Tenant) -> None:
    ids = create_deliveries(tenant, 3)
    assert sorted(claim(tenant, ids)) == sorted(ids)
    assert claim(tenant, ids) == []


def test_it_does_not_claim_before_its_time(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    later = timezone.now() + dt.timedelta(seconds=2)
    Delivery.objects.filter(pk=id).update(due_at=later)
    assert claim(tenant, [id]) == []
    assert claim(tenant, [id], now=later) == [id]


@pytest.mark.parametrize("status", DeliveryStatus.values)
def test_it_claims_only_what_waits(tenant: Tenant, status: str) -> None:
    id = create_delivery(tenant)
    Delivery.objects.filter(pk=id).update(status=status)
    assert claim(tenant, [id]) == ([id] if status in {"queued", "deferred"} else [])


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_time_never_overlap(tenant: Tenant) -> None:
    ids, workers = create_deliveries(tenant, 300), 6
    start = Barrier(workers)

    def work(offset: int) -> list[UUID]:
        """Half of them at a time, so that every two workers want some of the same."""
        mine = ids[offset:] + ids[:offset]
        start.wait()
        try:
            return claim(tenant, mine[:150]) + claim(tenant, mine[150:])
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        taken = Counter(id for claimed in pool.map(work, range(0, 300, 50)) for id in claimed)
    assert taken == Counter(ids)


def test_release_rings_for_what_is_due_and_then_has_patience(tenant: Tenant) -> None:
    create_deliveries(tenant, 3)
    ring_at = timezone.now() + PATIENCE
    assert queue.release_due(now=ring_at - dt.timedelta(seconds=1)) == 0
    assert queue.release_due(now=ring_at) == 3
    assert queue.release_due(now=ring_at + PATIENCE / 2) == 0
    assert queue.release_due(now=ring_at + PATIENCE) == 3


@pytest.mark.parametrize("status", ["sending", "sent", "delivered", "failed", "canceled", "expired"])
def test_release_rings_for_nothing_that_does_not_wait(tenant: Tenant, status: str) -> None:
    create_delivery(tenant)
    Delivery.objects.update(status=status)
    assert queue.release_due(now=timezone.now() + PATIENCE) == 0


def rung() -> list[str]:
    """The queues that hold a ring, priority by priority."""
    with current_app.connection_for_read() as broker:
        channel: Any = broker.default_channel
        held = []
        for name in ("sms", "email"):
            while message := channel.basic_get(name):
                _, ids = message.payload[0]
                held.append(f"{name} {message.properties['priority']} {len(ids)}")
        return held


def test_a_ring_carries_a_chunk_of_one_channel_and_one_priority(tenant: Tenant) -> None:
    sms = [(new_id(), "sms", 6) for _ in range(450)]
    queue.ring(tenant.pk, [*sms, (new_id(), "email", 6), (new_id(), "sms", 0)])
    assert rung() == ["sms 0 1", "sms 6 200", "sms 6 200", "sms 6 50", "email 6 1"]


def test_a_broker_that_is_away_is_no_error(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    begun = time.monotonic()
    with broker_away():
        queue.ring(tenant.pk, [(id, "sms", 6)])
        assert queue.release_due(now=timezone.now() + PATIENCE) == 1
    assert time.monotonic() - begun < 6, "a request would have waited for it"
    assert look(id).status == "queued"
    assert rung() == []
    assert queue.release_due(now=timezone.now() + 3 * PATIENCE) == 1
    assert rung() == ["sms 6 1"]


def test_it_counts_what_waits_for_an_accounts_rate(tenant: Tenant) -> None:
    mine, other = new_id(), new_id()
    held = create_deliveries(tenant, 3)
    Delivery.objects.filter(pk__in=held).update(account_id=mine, reason=HELD)
    Delivery.objects.filter(pk=held[0]).update(priority=0)
    Delivery.objects.filter(pk=create_delivery(tenant)).update(account_id=mine, reason="retrying")
    assert (queue.held_back(mine, 9), queue.held_back(mine, 3), queue.held_back(other, 9)) == (3, 1, 0)


def test_cancel_takes_out_what_has_not_left(tenant: Tenant) -> None:
    waiting, sending = create_delivery(tenant), create_delivery(tenant)
    claim(tenant, [sending])
    rows = {id: look(id).notification_id for id in (waiting, sending)}
    with tenant_scope(tenant.pk):
        assert intervening.cancel(list(rows.values())) == {rows[waiting]}
    assert (look(waiting).status, look(waiting).reason) == ("canceled", "canceled")
    assert look(sending).status == "sending"
    assert claim(tenant, [waiting]) == []


def test_redrive_starts_a_dead_letter_anew(tenant: Tenant) -> None:
    id, alive = create_delivery(tenant, SMS, EMAIL), create_delivery(tenant)
    dead = {"status": "failed", "reason": "retries_spent", "route": 1, "channel": "email", "tries": 3}
    Delivery.objects.filter(pk=id).update(**dead, address=EMAIL[1], attempt=5, spent_accounts=["a"])
    with tenant_scope(tenant.pk):
        assert [row.pk for row in intervening.redrive([id, alive])] == [id]
    row = look(id)
    assert (row.status, row.reason, row.route, row.channel, row.address) == ("queued", "redriven", 0, *SMS)
    assert (row.tries, row.spent_accounts, row.attempt) == (0, [], 5)
    assert claim(tenant, [id]) == [id]


def test_it_finds_what_a_lost_worker_held(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    claim(tenant, [id])
    assert queue.tenants_with_lost(now=timezone.now()) == []
    later = timezone.now() + dt.timedelta(seconds=61)
    assert queue.tenants_with_lost(now=later) == [tenant.pk]
    assert [leg.id for leg in queue.lost(tenant.pk, now=later)] == [id]
