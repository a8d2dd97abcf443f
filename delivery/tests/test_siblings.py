"""Devices that ring together and share a chain: real rows, real workers, a clock that is passed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import permutations
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

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
from delivery.recovery import recover_expired
from delivery.siblings import ring_together
from delivery.tests.factories import (
    EMAIL,
    SMS,
    attempts,
    create_delivery,
    create_smtp,
    create_together,
    create_twilio,
    look,
    lose_lease,
    make_due,
    new_delivery,
)
from delivery.tests.vendors import TestVendor, account_of
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

PHONE, BROWSER, GONE, GONE_TOO = (
    ("push", token) for token in ("phone", "browser", "gone-phone", "gone-browser")
)
WITHIN = 600
GONE_ERROR = ProviderError(ErrorKind.ADDRESS, "no such device", code="gone")


class PushVendor(TestVendor):
    """Devices whose token begins with `gone` are."""

    channel = "push"

    async def send_one(self, message: Message) -> Sent:
        if message.to.startswith("gone"):
            raise GONE_ERROR
        return Sent(f"push-{message.id}")


@pytest.fixture(autouse=True)
def push(tenant: Tenant) -> Iterator[ProviderAccount]:
    with account_of(PushVendor, tenant) as account:
        yield account


@pytest.fixture(autouse=True)
def sms(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    sandbox.fault("twilio", receipt="none")
    return create_twilio(tenant, sandbox)


def send(tenant: Tenant, *ids: UUID) -> None:
    make_due(*ids)
    dispatch.run(tenant.pk, ids)


def later(seconds: float = WITHIN + 1) -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=seconds)


def family(*ids: UUID) -> list[Delivery]:
    """All deliveries of the notification that these belong to."""
    return list(Delivery.objects.filter(notification_id=look(ids[0]).notification_id).order_by("pk"))


def by(channel: str, *ids: UUID) -> list[Delivery]:
    return [row for row in family(*ids) if row.channel == channel]


def states(*ids: UUID) -> list[tuple[str, str, str]]:
    return [(row.channel, row.status, row.reason) for row in map(look, ids)]


def claimed(tenant: Tenant, id: UUID) -> queue.Leg:
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([id], now=timezone.now())
    return leg


def fails(tenant: Tenant, *legs: queue.Leg) -> None:
    now = timezone.now()
    settled = [settlement.failed(leg, GONE_ERROR, others=0, now=now, jitter=0) for leg in legs]
    recording.settle(tenant.pk, settled)


def tell(account: ProviderAccount, id: UUID, status: ReceiptStatus) -> None:
    error = GONE_ERROR if status is ReceiptStatus.FAILED else None
    apply(account, [ParsedReceipt(f"{id}-{status}", "m", status, timezone.now(), error, f"{id}.1")])


def test_it_works(tenant: Tenant) -> None:
    phone, browser = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, phone, browser)
    assert states(phone, browser) == [("push", "sent", ""), ("push", "sent", "")]
    assert escalate_due(now=later()) == 1
    assert escalate_due(now=later()) == 0
    (text,) = by("sms", phone)
    assert (text.status, text.escalated_from, text.routes) == ("queued", phone, [list(SMS)])
    assert {look(id).reason for id in (phone, browser)} == {"not_seen_in_time"}


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([PHONE, BROWSER, SMS], [[PHONE, SMS], [BROWSER, SMS]]),
        ([PHONE, BROWSER], [[PHONE], [BROWSER]]),
        ([PHONE, SMS], [[PHONE, SMS]]),
        ([SMS, PHONE, BROWSER], [[SMS, PHONE, BROWSER]]),
        ([("sms", "+1"), ("sms", "+2")], [[("sms", "+1"), ("sms", "+2")]]),
    ],
)
def test_only_devices_ring_together(routes: Any, expected: Any) -> None:
    made = ring_together(new_delivery(*routes))
    assert [list(one.routes) for one in made] == expected
    assert {one.rings_with for one in made} == ({made[0].id} if len(made) > 1 else {None})


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_the_last_that_fails_goes_on(tenant: Tenant, order: tuple[int, ...]) -> None:
    ids = create_together(tenant, GONE, GONE_TOO, SMS)
    first, last = (ids[place] for place in order)
    send(tenant, first)
    assert states(first) == [("push", "failed", "address_refused")]
    assert attempts(first)[0].next_step == "address refused: the chain goes on without it"
    send(tenant, last)
    assert states(last) == [("sms", "queued", "next_route")]
    send(tenant, last)
    assert states(first, last) == [("push", "failed", "address_refused"), ("sms", "sent", "")]


def test_of_a_chunk_in_which_all_fail_one_goes_on(tenant: Tenant) -> None:
    ids = create_together(tenant, GONE, GONE_TOO, ("push", "gone-tablet"), SMS)
    send(tenant, *ids)
    assert states(*ids) == [("push", "failed", "address_refused")] * 2 + [("sms", "queued", "next_route")]


@pytest.mark.parametrize("within", [None, WITHIN])
def test_one_that_was_reached_keeps_the_chain(tenant: Tenant, within: int | None) -> None:
    ids = create_together(tenant, PHONE, GONE, SMS, within=within)
    send(tenant, *ids)
    assert states(*ids) == [("push", "sent", ""), ("push", "failed", "address_refused")]
    assert by("sms", *ids) == []
    assert escalate_due(now=later()) == (1 if within else 0)


def test_a_device_that_is_still_being_tried_keeps_the_chain(tenant: Tenant) -> None:
    phone, gone = create_together(tenant, PHONE, GONE, SMS)
    send(tenant, gone)
    assert look(gone).status == "failed"
    assert look(phone).routes == [list(PHONE), list(SMS)]


def test_the_first_whose_time_is_over_takes_the_turn_of_all(tenant: Tenant) -> None:
    phone, browser = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, phone)
    assert escalate_due(now=later()) == 1
    send(tenant, browser)
    assert look(browser).escalate_at is None
    assert escalate_due(now=later(3 * WITHIN)) == 0
    assert len(by("sms", phone)) == 1


def test_who_fails_after_that_ends_there(tenant: Tenant) -> None:
    phone, gone = create_together(tenant, PHONE, GONE, SMS, within=WITHIN)
    send(tenant, phone)
    leg = claimed(tenant, gone)
    assert escalate_due(now=later()) == 1
    fails(tenant, leg)
    assert states(gone) == [("push", "failed", "address_refused")]
    assert len(by("sms", phone)) == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_one_that_is_opened_stops_the_chain_for_all(
    tenant: Tenant, push: ProviderAccount, is_first: bool
) -> None:
    ids = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, *ids)
    tell(push, ids[0 if is_first else 1], ReceiptStatus.OPENED)
    assert escalate_due(now=later()) == 0
    assert by("sms", *ids) == []


def test_one_that_is_opened_late_cancels_what_has_not_left(tenant: Tenant, push: ProviderAccount) -> None:
    phone, browser = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, phone, browser)
    escalate_due(now=later())
    tell(push, browser, ReceiptStatus.OPENED)
    assert [(row.status, row.reason) for row in by("sms", phone)] == [("canceled", "seen_meanwhile")]


def test_what_was_seen_elsewhere_does_not_go_on(tenant: Tenant) -> None:
    ids = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, *ids)
    mark_seen(tenant.pk, [look(ids[0]).notification_id], timezone.now())
    assert escalate_due(now=later()) == 0


def test_a_sibling_that_a_reader_passed_over_does_not_go_on(tenant: Tenant) -> None:
    """Somebody else held it when its sibling was opened."""
    phone, browser = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, phone, browser)
    Delivery.objects.filter(pk=phone).update(seen_at=timezone.now(), escalate_at=None)
    assert escalate_due(now=later()) == 0
    assert look(browser).escalate_at is None


def test_a_receipt_that_fails_the_last_goes_on(tenant: Tenant, push: ProviderAccount) -> None:
    phone, browser = create_together(tenant, PHONE, BROWSER, SMS)
    send(tenant, phone, browser)
    tell(push, browser, ReceiptStatus.FAILED)
    assert states(browser) == [("push", "failed", "address_refused")]
    tell(push, phone, ReceiptStatus.FAILED)
    assert states(phone) == [("sms", "queued", "next_route")]


def test_a_lost_worker_leaves_the_chain_to_the_others(tenant: Tenant) -> None:
    ids = create_together(tenant, PHONE, GONE, SMS, unknown_policy="resend")
    claimed(tenant, ids[0])
    send(tenant, ids[1])
    assert look(ids[1]).status == "failed"
    lose_lease([ids[0]])
    assert recover_expired() == 1
    send(tenant, ids[0])
    assert states(ids[0]) == [("push", "sent", "")]


def test_what_is_redriven_has_no_second_chain(tenant: Tenant) -> None:
    first, last = create_together(tenant, GONE, GONE_TOO, SMS)
    send(tenant, first)
    send(tenant, last)
    assert dead_letters.retry(tenant.pk, [first]) == 1
    send(tenant, first)
    assert states(first) == [("push", "failed", "address_refused")]
    assert [row.pk for row in by("sms", first)] == [last]


def test_canceling_stops_all(tenant: Tenant) -> None:
    ids = create_together(tenant, PHONE, BROWSER, SMS, within=WITHIN)
    send(tenant, ids[0])
    with tenant_scope(tenant.pk):
        intervening.cancel([look(ids[0]).notification_id])
    assert [look(id).status for id in ids] == ["sent", "canceled"]
    assert escalate_due(now=later()) == 0


def test_a_chain_that_comes_to_the_devices_later_rings_all_too(tenant: Tenant) -> None:
    id = create_delivery(tenant, SMS, PHONE, BROWSER, EMAIL, within=WITHIN)
    send(tenant, id)
    assert escalate_due(now=later()) == 1
    ringing = by("push", id)
    assert [row.routes for row in ringing] == [[list(PHONE), list(EMAIL)], [list(BROWSER), list(EMAIL)]]
    assert {row.escalated_from for row in ringing} == {id}
    send(tenant, *(row.pk for row in ringing))
    assert escalate_due(now=later()) == 1
    assert [row.escalated_from for row in by("email", id)] == [id]


def test_a_failure_that_leads_to_the_devices_rings_all_too(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    id = create_delivery(tenant, ("sms", "+15005550009"), GONE, GONE_TOO, EMAIL)
    send(tenant, id)
    first, second = by("push", id)
    assert (first.pk, first.rings_with, second.rings_with) == (id, id, id)
    send(tenant, first.pk)
    send(tenant, second.pk)
    assert states(first.pk, second.pk) == [
        ("push", "failed", "address_refused"),
        ("email", "queued", "next_route"),
    ]


def test_it_rings_for_those_that_join(tenant: Tenant) -> None:
    id = create_delivery(tenant, ("sms", "+15005550009"), PHONE, BROWSER)
    leg = claimed(tenant, id)
    settled = settlement.failed(leg, GONE_ERROR, others=0, now=timezone.now(), jitter=0)
    ready = recording.settle(tenant.pk, [settled])
    assert {(found, channel) for found, channel, _ in ready} == {(row.pk, "push") for row in by("push", id)}


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each returns, all begun at the same instant."""
    begin = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        begin.wait()
        return in_thread(work)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.django_db(transaction=True)
def test_two_that_fail_at_the_same_instant_go_on_once(tenant: Tenant) -> None:
    for _ in range(20):
        ids = create_together(tenant, GONE, GONE_TOO, SMS)
        one, other = (claimed(tenant, id) for id in ids)
        at_once(partial(fails, tenant, one), partial(fails, tenant, other))
        assert sorted(row.channel for row in family(*ids)) == ["push", "sms"]


@pytest.mark.django_db(transaction=True)
def test_chunks_that_share_families_crosswise_do_not_wait_for_each_other(tenant: Tenant) -> None:
    groups = [create_together(tenant, GONE, GONE_TOO, SMS) for _ in range(20)]
    legs = [[claimed(tenant, id) for id in ids] for ids in groups]
    ones = [pair[place % 2] for place, pair in enumerate(legs)]
    others = [pair[1 - place % 2] for place, pair in enumerate(legs)]
    at_once(partial(fails, tenant, *ones), partial(fails, tenant, *reversed(others)))
    assert all(sorted(row.channel for row in family(*ids)) == ["push", "sms"] for ids in groups)


@pytest.mark.django_db(transaction=True)
def test_a_receipt_and_a_worker_at_the_same_instant_go_on_once(tenant: Tenant, push: ProviderAccount) -> None:
    for _ in range(10):
        phone, gone = create_together(tenant, PHONE, GONE, SMS)
        send(tenant, phone)
        leg = claimed(tenant, gone)
        at_once(partial(tell, push, phone, ReceiptStatus.FAILED), partial(fails, tenant, leg))
        assert sorted(row.channel for row in family(phone)) == ["push", "sms"]


@pytest.mark.django_db(transaction=True)
def test_sweepers_and_a_failure_at_the_same_instant_go_on_once(tenant: Tenant) -> None:
    for _ in range(10):
        phone, gone = create_together(tenant, PHONE, GONE, SMS, within=WITHIN)
        send(tenant, phone)
        leg, now = claimed(tenant, gone), later()
        sweep = partial(escalate_due, now=now)
        at_once(partial(fails, tenant, leg), sweep, sweep)
        sweep()  # what a sweeper left because somebody held it
        assert sorted(row.channel for row in family(phone)) == ["push", "push", "sms"]
