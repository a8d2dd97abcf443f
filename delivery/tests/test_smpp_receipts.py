"""Receipts that come by a bind, from the SMSC to the delivery: by other processes, early, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from smpp34 import SubmitSm

from config.embedded.valkey import free_port
from delivery import dispatch, parts, receipts
from delivery.models import Attempt, ProviderAccount, Receipt
from delivery.providers.base import AccountGone, ErrorKind, ParsedReceipt, ProviderError, ReceiptStatus
from delivery.providers.smpp import links
from delivery.tests.factories import attempts, create_account, create_deliveries, look, make_due
from delivery.tests.smsc import DEADLINE_S, running_smsc
from sandbox.smsc import Taken
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)

TO = ("sms", "+15005550010")
SHORT = {"content": {"body": "Your code is 123456."}}
LONG = {"content": {"body": "A long message. " * 20}}


@pytest.fixture(autouse=True)
def _unbind() -> Iterator[None]:
    yield
    links.close()


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    sandbox.fault("smpp", receipt="none")
    return create_smpp(tenant, sandbox)


def create_smpp(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    login = {"system_id": f"shop-{tenant.pk.hex[-8:]}", "password": "secret", "sender": "Shop"}
    return create_account(
        tenant, "sms", "smpp", {"host": "127.0.0.1", "port": sandbox.ports["smpp"], **login}
    )


def send(tenant: Tenant, payload: object = SHORT, number: int = 1) -> list[UUID]:
    ids = create_deliveries(tenant, number, TO, payload=payload)
    dispatch.run(tenant.pk, ids)
    return ids


def tell(account: ProviderAccount, message_id: str, error: ProviderError | None = None) -> None:
    """As a bind does, in a process that knows nothing of the message."""
    status = ReceiptStatus.FAILED if error else ReceiptStatus.DELIVERED
    event = f"{message_id}.{status}"
    receipts.report(account, [ParsedReceipt(event, message_id, status, timezone.now(), error)])


def status(id: UUID) -> str:
    return look(id).status


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        receipts.adopt()  # as beat does
        time.sleep(0.02)


@pytest.mark.parametrize("payload", [SHORT, LONG])
def test_it_works(tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount, payload: object) -> None:
    """A bind that hears, keeps and acknowledges, against the whole of the sandbox."""
    sandbox.fault("smpp", receipt_delay_ms=10, duplicate_receipts=1)
    ids = send(tenant, payload, 20)
    until(lambda: all(status(id) == "delivered" for id in ids))
    assert not Receipt.objects.filter(is_pending=True).exists()


def test_one_that_did_not_arrive_has_failed(
    tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount
) -> None:
    sandbox.fault("smpp", receipt="failed", receipt_delay_ms=10)
    (id,) = send(tenant)
    until(lambda: status(id) == "failed")
    receipt = Receipt.objects.get()
    assert (receipt.kind, receipt.code, receipt.is_permanent) == ("address", "UNDELIV:001", False)


def test_a_message_in_parts_is_delivered_when_all_are(tenant: Tenant, account: ProviderAccount) -> None:
    (id,) = send(tenant, LONG)
    (attempt,) = attempts(id)
    first, second, third = attempt.part_ids
    assert attempt.provider_message_id == first
    for part in (third, third, first):
        tell(account, part)
        assert status(id) == "sent"
    tell(account, second)
    assert status(id) == "delivered"


def test_a_message_in_parts_has_failed_when_one_has(tenant: Tenant, account: ProviderAccount) -> None:
    (id,) = send(tenant, LONG)
    first, second, third = attempts(id)[0].part_ids
    tell(account, first)
    tell(account, second, ProviderError(ErrorKind.ADDRESS, "the SMSC says UNDELIV", code="UNDELIV:001"))
    assert status(id) == "failed"
    tell(account, third)
    assert status(id) == "failed"


def test_parts_that_came_before_the_attempt_was_recorded_are_adopted(
    tenant: Tenant, account: ProviderAccount
) -> None:
    (id,) = send(tenant, LONG)
    (attempt,) = attempts(id)
    Attempt.objects.filter(pk=attempt.pk).update(provider_message_id="", part_ids=[])
    for part in attempt.part_ids:
        tell(account, part)
    assert (status(id), Receipt.objects.filter(is_pending=True).count()) == ("sent", 3)
    Attempt.objects.filter(pk=attempt.pk).update(
        provider_message_id=attempt.provider_message_id, part_ids=attempt.part_ids
    )
    assert receipts.adopt() == 3
    assert status(id) == "delivered"


def test_an_id_of_another_account_is_another_message(
    tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount
) -> None:
    (id,) = send(tenant, LONG)
    other = create_smpp(tenant, sandbox)
    for part in attempts(id)[0].part_ids:
        tell(other, part)
    assert status(id) == "sent"


def test_a_message_that_is_whole_asks_nothing_of_parts(tenant: Tenant, account: ProviderAccount) -> None:
    (id,) = send(tenant)
    (attempt,) = attempts(id)
    assert attempt.part_ids == []
    assert parts.by_part(account.pk, [attempt.provider_message_id, "", "\0"]) == {}
    tell(account, attempt.provider_message_id)
    assert status(id) == "delivered"


def test_an_id_of_a_part_is_looked_up_by_its_index(tenant: Tenant, account: ProviderAccount) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        query = parts._BY_PART % {"ids": "ARRAY['1','2']", "account_id": f"'{account.pk}'"}
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "attempt_parts" in plan


def test_nothing_is_lost_when_the_smsc_is_killed_in_the_middle(tenant: Tenant) -> None:
    """What it had not answered is sent again; receipts that it kept come by the new bind."""
    port = free_port()
    login = {"host": "127.0.0.1", "port": port, "system_id": "shop", "password": "open-sesame"}
    create_account(tenant, "sms", "smpp", login)
    ids = create_deliveries(tenant, 30, TO, payload=SHORT)

    def dies(message: SubmitSm, number: int) -> Taken | None:
        if number == 10:
            smsc.drop_all()
        return Taken(f"A{number}") if number < 10 else None

    with running_smsc(dies, port=port) as smsc:
        dispatch.run(tenant.pk, ids)
    assert {status(id) for id in ids} == {"queued", "sent"}
    with running_smsc(lambda message, number: Taken(f"B{number}"), port=port) as smsc:
        make_due(*ids)
        dispatch.run(tenant.pk, ids)
        for made in Attempt.objects.exclude(provider_message_id=""):
            smsc.deliver(
                "shop", TO[1][1:], "Shop", f"id:{made.provider_message_id} stat:DELIVRD".encode(), esm_class=4
            )
        until(lambda: all(status(id) == "delivered" for id in ids))


# — whether the account is still there


def test_it_says_when_an_account_is_no_longer_what_it_was(tenant: Tenant, account: ProviderAccount) -> None:
    ask: Callable[[Sequence[ParsedReceipt]], None] = partial(receipts.report, account)
    ask([])
    ProviderAccount.objects.filter(pk=account.pk).update(weight=7)
    ask([])
    ProviderAccount.objects.filter(pk=account.pk).update(is_enabled=False)
    with pytest.raises(AccountGone):
        ask([])
    ProviderAccount.objects.filter(pk=account.pk).update(
        is_enabled=True, settings={**account.settings, "port": 1}
    )
    with pytest.raises(AccountGone):
        ask([])
    ProviderAccount.objects.filter(pk=account.pk).delete()
    with pytest.raises(AccountGone):
        ask([])


def test_a_receipt_for_an_account_that_was_changed_counts(tenant: Tenant, account: ProviderAccount) -> None:
    (id,) = send(tenant)
    ProviderAccount.objects.filter(pk=account.pk).update(settings={**account.settings, "window": 20})
    tell(account, attempts(id)[0].provider_message_id)
    assert status(id) == "delivered"
