"""Chains that go on when nobody answers in time: real rows, a clock that is passed in."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from delivery import dead_letters, dispatch, intervening, queue, recording, settlement
from delivery.escalation import escalate_due, mark_seen
from delivery.models import Delivery, ProviderAccount
from delivery.providers.base import (
    ErrorKind,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptStatus,
    Sent,
)
from delivery.receipts import apply
from delivery.settlement import onward
from delivery.tests.factories import (
    EMAIL,
    SMS,
    attempts,
    create_delivery,
    create_smtp,
    create_twilio,
    look,
    make_due,
)
from delivery.tests.vendors import TestVendor, account_of
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

PUSH = ("push", "token-1")
OTHER_PUSH = ("push", "token-2")
WITHIN = 600


class PushVendor(TestVendor):
    channel = "push"

    async def send_one(self, message: Message) -> Sent:
        return Sent(f"push-{message.id}")


@pytest.fixture
def push(tenant: Tenant) -> Iterator[ProviderAccount]:
    with account_of(PushVendor, tenant) as account:
        yield account


@pytest.fixture
def sms(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    sandbox.fault("twilio", receipt="none")
    return create_twilio(tenant, sandbox)


def send(tenant: Tenant, id: UUID) -> None:
    make_due(id)
    dispatch.run(tenant.pk, [id])


def create_chain(tenant: Tenant, *routes: tuple[str, str], **over: Any) -> UUID:
    """A chain that waits ten minutes for each route, its first route sent."""
    id = create_delivery(tenant, *routes, **{"within": WITHIN, **over})
    send(tenant, id)
    return id


def later(seconds: float = WITHIN + 1) -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=seconds)


def successors(id: UUID) -> list[Delivery]:
    return list(Delivery.objects.filter(escalated_from=id).order_by("pk"))


def successor(id: UUID) -> Delivery:
    (row,) = successors(id)
    return row


def state(id: UUID) -> tuple[str, str]:
    row = look(id)
    return row.status, row.reason


def tell(
    account: ProviderAccount, id: UUID, status: ReceiptStatus, error: ProviderError | None = None
) -> None:
    event, message = f"{id}-{status}", "vendor-message"
    apply(account, [ParsedReceipt(event, message, status, timezone.now(), error, f"{id}.1")])


def test_it_works(tenant: Tenant, push: ProviderAccount, sms: ProviderAccount) -> None:
    id = create_chain(tenant, PUSH, SMS)
    assert escalate_due(now=later(WITHIN - 1)) == 0
    assert escalate_due(now=later()) == 1
    assert escalate_due(now=later()) == 0
    assert state(id) == ("sent", "not_seen_in_time")
    next_one = successor(id)
    assert (next_one.status, next_one.routes, next_one.channel) == ("queued", [list(SMS)], "sms")
    send(tenant, next_one.pk)
    assert state(next_one.pk) == ("sent", "")
    assert [len(attempts(one)) for one in (id, next_one.pk)] == [1, 1]


def test_the_last_route_has_nowhere_to_go(
    tenant: Tenant, push: ProviderAccount, sms: ProviderAccount
) -> None:
    id = create_chain(tenant, PUSH, SMS)
    escalate_due(now=later())
    send(tenant, successor(id).pk)
    assert look(successor(id).pk).escalate_at is None
    assert escalate_due(now=later(10 * WITHIN)) == 0


def test_a_long_chain_keeps_one_root(
    tenant: Tenant, push: ProviderAccount, sms: ProviderAccount, sandbox: RunningSandbox
) -> None:
    create_smtp(tenant, sandbox)
    id = create_chain(tenant, PUSH, SMS, EMAIL)
    escalate_due(now=later())
    send(tenant, successor(id).pk)
    assert escalate_due(now=later()) == 1
    assert [row.channel for row in successors(id)] == ["sms", "email"]
    assert state(successors(id)[0].pk) == ("sent", "not_delivered_in_time")


@pytest.mark.parametrize(
    ("channels", "route", "expected"),
    [
        (["push", "sms"], 0, 1),
        (["push", "push", "sms"], 0, 2),
        (["push", "push"], 0, None),
        (["sms"], 0, None),
        (["sms", "push", "sms"], 1, 2),
    ],
)
def test_only_another_channel_is_a_next_one(channels: list[str], route: int, expected: int | None) -> None:
    assert onward([(channel, "") for channel in channels], route) == expected


def test_a_second_device_is_for_when_the_first_fails(
    tenant: Tenant, push: ProviderAccount, sms: ProviderAccount
) -> None:
    id = create_chain(tenant, PUSH, OTHER_PUSH, SMS)
    escalate_due(now=later())
    assert successor(id).routes == [list(SMS)]


def test_a_chain_without_within_waits_for_ever(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL, within=None)
    assert look(id).escalate_at is None
    assert escalate_due(now=later(10**6)) == 0


@pytest.mark.parametrize(("expires_in", "is_armed"), [(WITHIN - 1, False), (WITHIN + 5, True)])
def test_it_never_goes_past_the_deadline(
    tenant: Tenant, sms: ProviderAccount, expires_in: int, is_armed: bool
) -> None:
    id = create_chain(tenant, SMS, EMAIL, deadline=later(expires_in))
    assert (look(id).escalate_at is not None) is is_armed


def test_a_sweeper_that_comes_after_the_deadline_sends_nothing(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL, deadline=later(WITHIN + 5))
    assert escalate_due(now=later(WITHIN + 60)) == 0
    assert (state(id), look(id).escalate_at, successors(id)) == (("sent", ""), None, [])


def test_a_receipt_stops_it(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    tell(sms, id, ReceiptStatus.DELIVERED)
    assert state(id) == ("delivered", "")
    assert escalate_due(now=later()) == 0


def test_a_push_that_arrived_is_not_seen_yet(
    tenant: Tenant, push: ProviderAccount, sms: ProviderAccount
) -> None:
    id = create_chain(tenant, PUSH, SMS)
    tell(push, id, ReceiptStatus.DELIVERED)
    assert escalate_due(now=later()) == 1
    assert state(id) == ("delivered", "not_seen_in_time")


def test_a_push_that_was_opened_is(tenant: Tenant, push: ProviderAccount, sms: ProviderAccount) -> None:
    id = create_chain(tenant, PUSH, SMS)
    tell(push, id, ReceiptStatus.OPENED)
    assert escalate_due(now=later()) == 0
    assert look(id).seen_at is not None


def test_a_receipt_before_the_record_begins_the_wait(tenant: Tenant, push: ProviderAccount) -> None:
    id = create_delivery(tenant, PUSH, SMS, within=WITHIN)
    with tenant_scope(tenant.pk):
        queue.claim([id], now=timezone.now())
    tell(push, id, ReceiptStatus.DELIVERED)
    assert escalate_due(now=later()) == 1


def test_being_seen_stops_every_chain_of_the_notification(
    tenant: Tenant, push: ProviderAccount, sms: ProviderAccount
) -> None:
    id = create_chain(tenant, PUSH, SMS)
    notification_id = look(id).notification_id
    other = create_chain(tenant, SMS, EMAIL)
    Delivery.objects.filter(pk=other).update(notification_id=notification_id)
    mark_seen(tenant.pk, [notification_id], timezone.now())
    assert escalate_due(now=later()) == 0


def test_what_is_seen_before_it_is_recorded_as_sent_does_not_escalate(
    tenant: Tenant, push: ProviderAccount
) -> None:
    id = create_delivery(tenant, PUSH, SMS, within=WITHIN)
    mark_seen(tenant.pk, [look(id).notification_id], timezone.now())
    send(tenant, id)
    assert (state(id), look(id).escalate_at) == (("sent", ""), None)


def test_a_late_receipt_cancels_what_has_not_left(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    escalate_due(now=later())
    tell(sms, id, ReceiptStatus.DELIVERED)
    assert state(id) == ("delivered", "")
    assert state(successor(id).pk) == ("canceled", "delivered_meanwhile")


def test_a_late_receipt_leaves_alone_what_has(
    tenant: Tenant, sms: ProviderAccount, sandbox: RunningSandbox
) -> None:
    create_smtp(tenant, sandbox)
    id = create_chain(tenant, SMS, EMAIL, PUSH)
    escalate_due(now=later())
    send(tenant, successor(id).pk)
    tell(sms, id, ReceiptStatus.DELIVERED)
    assert state(successor(id).pk) == ("sent", "")
    assert escalate_due(now=later()) == 0  # nor does it go on


def test_a_late_failure_is_not_sent_again(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    escalate_due(now=later())
    tell(sms, id, ReceiptStatus.FAILED, ProviderError(ErrorKind.TRANSIENT, "lost", code="lost"))
    assert look(id).status == "failed"
    assert (len(successors(id)), len(attempts(id))) == (1, 1)


def test_a_failure_in_time_goes_on_by_itself(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    tell(sms, id, ReceiptStatus.FAILED, ProviderError(ErrorKind.ADDRESS, "gone", code="gone"))
    row = look(id)
    assert (row.status, row.channel, row.escalate_at) == ("queued", "email", None)
    assert escalate_due(now=later()) == 0


def test_what_waits_for_a_receipt_escalates_too(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_delivery(tenant, SMS, EMAIL, within=WITHIN, unknown_policy="wait")
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([id], now=timezone.now())
    unknown = ProviderError(ErrorKind.UNKNOWN, "timeout")
    settled = settlement.failed(leg, unknown, others=0, now=timezone.now(), jitter=0)
    recording.settle(tenant.pk, [settled])
    assert state(id) == ("sent", "awaiting_receipt")
    assert escalate_due(now=later()) == 1


@pytest.mark.parametrize("is_escalated", [False, True])
def test_canceling_stops_it(tenant: Tenant, sms: ProviderAccount, is_escalated: bool) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    if is_escalated:
        escalate_due(now=later())
    with tenant_scope(tenant.pk):
        assert intervening.cancel([look(id).notification_id]) == {look(id).notification_id}
        assert intervening.cancel([look(id).notification_id]) == set()
    assert look(id).status == "sent"
    assert escalate_due(now=later()) == 0
    assert [row.status for row in successors(id)] == ["canceled"] * is_escalated


def test_what_is_redriven_waits_anew(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_delivery(tenant, EMAIL, SMS, within=WITHIN)
    Delivery.objects.filter(pk=id).update(status="failed", route=1)
    Delivery.objects.filter(pk=id).update(routes=[SMS, EMAIL])
    assert dead_letters.retry(tenant.pk, [id]) == 1
    send(tenant, id)
    assert escalate_due(now=later()) == 1


def test_it_takes_every_tenants(tenant: Tenant, sms: ProviderAccount, sandbox: RunningSandbox) -> None:
    other = create_tenant()
    create_twilio(other, sandbox)
    for owner in (tenant, other):
        create_chain(owner, SMS, EMAIL)
    assert escalate_due(now=later()) == 2


def test_what_is_seen_costs_one_query_without_chains(
    tenant: Tenant, sms: ProviderAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    id = create_chain(tenant, SMS, EMAIL, within=None)
    notification_id = look(id).notification_id
    with tenant_scope(tenant.pk), django_assert_num_queries(1):
        mark_seen(tenant.pk, [notification_id], timezone.now())


def test_the_sweeper_finds_them_by_their_index(tenant: Tenant) -> None:
    due = Delivery.objects.filter(escalate_at__lte=timezone.now()).order_by("escalate_at")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "delivery_escalation" in due.values_list("tenant_id", "pk")[:10].explain()


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_escalate_once(tenant: Tenant, sms: ProviderAccount) -> None:
    ids = [create_chain(tenant, SMS, EMAIL) for _ in range(20)]
    begin, now = Barrier(4), later()

    def sweep() -> int:
        begin.wait()
        return escalate_due(now=now)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: in_thread(sweep), range(4)))
    assert sum(found) == len(ids)
    assert all(len(successors(id)) == 1 for id in ids)


@pytest.mark.django_db(transaction=True)
def test_a_read_that_races_the_sweeper_cancels_what_it_makes(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    notification_id, now = look(id).notification_id, timezone.now()
    with ThreadPoolExecutor(1) as pool:
        with tenant_scope(tenant.pk):
            assert escalate_due(now=later()) == 1
            read = pool.submit(in_thread, lambda: mark_seen(tenant.pk, [notification_id], now))
            wait_until(somebody_waits_for_a_lock)
        read.result(timeout=10)
    assert state(successor(id).pk) == ("canceled", "seen_meanwhile")


@pytest.mark.django_db(transaction=True)
def test_a_read_before_the_sweeper_leaves_it_nothing(tenant: Tenant, sms: ProviderAccount) -> None:
    id = create_chain(tenant, SMS, EMAIL)
    with ThreadPoolExecutor(1) as pool, tenant_scope(tenant.pk):
        mark_seen(tenant.pk, [look(id).notification_id], timezone.now())
        assert pool.submit(in_thread, lambda: escalate_due(now=later())).result(timeout=10) == 0
    assert escalate_due(now=later()) == 0
    assert successors(id) == []


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
