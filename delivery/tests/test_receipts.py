"""`POST /webhooks/…`, as Twilio signs it: https://www.twilio.com/docs/usage/security#validating-requests"""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings
from twilio.request_validator import RequestValidator

from delivery import dispatch, queue, recording, settlement
from delivery.models import Delivery, ProviderAccount, Receipt
from delivery.providers.base import ErrorKind, ParsedReceipt, ProviderError, ReceiptStatus
from delivery.receipts import adopt, apply, forget
from delivery.recovery import recover_expired
from delivery.routing import Account, Choice
from delivery.tests.factories import (
    EMAIL,
    SMS,
    attempts,
    create_deliveries,
    create_delivery,
    create_smtp,
    create_twilio,
    look,
    lose_lease,
    make_due,
    outcomes,
)
from preferences.models import Suppression
from preferences.suppressions import among
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

TOKEN = "twilio-token"

NOBODY = UUID(int=1)


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    sandbox.fault("twilio", receipt="none")
    return create_twilio(tenant, sandbox)


def tell(
    account: ProviderAccount,
    status: str,
    *,
    of: UUID | None = None,
    attempt: int = 1,
    token: str = TOKEN,
    path: str = "",
    **form: str,
) -> HttpResponse:
    """A status callback for an attempt of the delivery `of`, or only by MessageSid."""
    path = path or f"/webhooks/twilio/{account.pk}"
    path += f"?reference={of}.{attempt}" if of else ""
    said = {"MessageSid": "SM1", "MessageStatus": status, "AccountSid": "AC1", **form}
    signature = RequestValidator(token).compute_signature(django_settings.PUBLIC_URL + path, said)
    return post(path, urlencode(said), {"X-Twilio-Signature": signature})


def post(path: str, body: str | bytes, headers: dict[str, str] | None = None) -> HttpResponse:
    answer: Any = Client(headers=headers or {}).post(
        path, body, content_type="application/x-www-form-urlencoded"
    )
    response: HttpResponse = answer
    return response


def send(tenant: Tenant, *routes: tuple[str, str], **over: Any) -> UUID:
    id = create_delivery(tenant, *routes, **over)
    dispatch.run(tenant.pk, [id])
    return id


def send_again(tenant: Tenant, id: UUID) -> None:
    make_due(id)
    dispatch.run(tenant.pk, [id])


def claim(tenant: Tenant, id: UUID) -> None:
    with tenant_scope(tenant.pk):
        assert queue.claim([id], now=timezone.now())


def state(id: UUID) -> tuple[str, str]:
    row = look(id)
    return row.status, row.reason


def problem(answer: HttpResponse) -> tuple[int, str, str]:
    body: Any = answer
    return answer.status_code, answer.headers["Content-Type"], body.json()["code"]


def test_it_works(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    assert tell(account, "delivered", of=id).status_code == 204
    row = look(id)
    assert (row.status, row.reason) == ("delivered", "")
    assert row.delivered_at is not None
    receipt = Receipt.objects.get()
    assert (receipt.delivery_id, receipt.attempt, receipt.status) == (id, 1, "delivered")
    assert (receipt.tenant_id, receipt.account_id, receipt.is_pending) == (tenant.pk, account.pk, False)


def test_it_finds_the_delivery_by_the_vendors_message_id(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "delivered", MessageSid=attempts(id)[0].provider_message_id)
    assert state(id) == ("delivered", "")


def test_it_keeps_words_that_move_nothing(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    for word in ("queued", "sending", "sent", "a-word-of-next-year"):
        assert tell(account, word, of=id).status_code == 204
    assert state(id) == ("sent", "")
    assert sorted(Receipt.objects.values_list("status", flat=True)) == [
        "sent",
        "unknown",
        "unknown",
        "unknown",
    ]


def test_a_repeated_event_is_ignored(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    for _ in range(3):
        assert tell(account, "failed", of=id, ErrorCode="30008").status_code == 204
    assert Receipt.objects.count() == 1
    assert (*state(id), look(id).tries) == ("queued", "retrying", 1)


def test_a_repeated_event_after_a_resend_is_ignored(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "failed", of=id, ErrorCode="30008")
    send_again(tenant, id)
    tell(account, "failed", of=id, ErrorCode="30008")
    assert (state(id), len(attempts(id))) == (("sent", ""), 2)


def test_a_failure_goes_on_to_the_next_route(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox
) -> None:
    create_smtp(tenant, sandbox)
    id = send(tenant, SMS, EMAIL)
    tell(account, "undelivered", of=id, ErrorCode="30003")
    assert state(id) == ("queued", "next_route")
    send_again(tenant, id)
    assert [(a.channel, a.outcome) for a in attempts(id)] == [("sms", "sent"), ("email", "sent")]


def test_a_failure_of_the_only_route_is_a_dead_letter(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "undelivered", of=id, ErrorCode="30003", ErrorMessage="Unreachable")
    assert (*state(id), look(id).detail) == ("failed", "address_refused", "30003: Unreachable")


def test_a_failure_of_the_accounts_goes_on_to_the_next(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox
) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(priority=1)
    second = create_twilio(tenant, sandbox)
    id = send(tenant)
    tell(account, "failed", of=id, ErrorCode="30002")
    send_again(tenant, id)
    assert [a.account_id for a in attempts(id)] == [account.pk, second.pk]


def test_failures_that_are_only_told_later_do_not_go_on_for_ever(
    tenant: Tenant, account: ProviderAccount
) -> None:
    id = send(tenant)
    for attempt in range(1, 5):
        tell(account, "failed", of=id, attempt=attempt, MessageSid=f"SM{attempt}", ErrorCode="30008")
        send_again(tenant, id)
    assert (state(id), len(attempts(id))) == (("failed", "retries_spent"), 4)


def test_a_late_failure_of_an_older_attempt_is_ignored(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "failed", of=id, ErrorCode="30008")
    send_again(tenant, id)
    tell(account, "undelivered", of=id, attempt=1, ErrorCode="30003")
    assert state(id) == ("sent", "")


def test_a_failure_after_delivery_is_ignored(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "delivered", of=id)
    tell(account, "failed", of=id, ErrorCode="30008")
    assert state(id) == ("delivered", "")


def test_a_dead_letter_that_arrived_after_all_is_delivered(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    tell(account, "undelivered", of=id, ErrorCode="30003")
    tell(account, "delivered", of=id)
    assert state(id) == ("delivered", "")


@pytest.mark.parametrize(("code", "is_suppressed"), [("30005", True), ("30003", False)])
def test_an_address_that_will_never_work_is_suppressed(
    tenant: Tenant, account: ProviderAccount, code: str, is_suppressed: bool
) -> None:
    id = send(tenant)
    tell(account, "undelivered", of=id, ErrorCode=code)
    assert among(tenant.pk, [SMS]) == ({SMS: "bounced"} if is_suppressed else {})
    told = Suppression.objects.values_list("source", "reference")
    assert list(told) == ([("receipt", str(id))] if is_suppressed else [])


def test_it_suppresses_the_address_of_its_attempt_and_not_the_one_in_use(
    tenant: Tenant, account: ProviderAccount
) -> None:
    id = send(tenant, SMS, EMAIL)
    tell(account, "failed", of=id, ErrorCode="30003")
    assert look(id).channel == "email"
    tell(account, "undelivered", of=id, ErrorCode="30005")
    assert list(among(tenant.pk, [SMS, EMAIL])) == [SMS]


def test_a_complaint_is_a_delivery_and_a_suppression(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    complaint = ParsedReceipt("e1", "", ReceiptStatus.COMPLAINED, timezone.now(), reference=f"{id}.1")
    apply(account, [complaint])
    assert state(id) == ("delivered", "")
    assert Suppression.objects.get().reason == "complained"


def test_delivered_before_the_send_is_settled_stays(tenant: Tenant, account: ProviderAccount) -> None:
    id = create_delivery(tenant)
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([id], now=timezone.now())
    tell(account, "delivered", of=id)
    assert (*state(id), look(id).lease_until) == ("delivered", "", None)
    error = ProviderError(ErrorKind.UNKNOWN, "no answer in time")
    call = settlement.Call(Choice(Account(None, "one", "sms", "twilio"), ""), error, timezone.now())
    now = timezone.now()
    recording.settle(tenant.pk, [settlement.failed(leg, error, others=0, now=now, jitter=0, call=call)])
    assert state(id) == ("delivered", "")
    assert outcomes(id) == [("unknown", "")]


def test_a_failure_before_the_send_is_settled_waits_for_it(tenant: Tenant, account: ProviderAccount) -> None:
    id = create_delivery(tenant, unknown_policy="wait")
    claim(tenant, id)
    tell(account, "undelivered", of=id, ErrorCode="30003")
    assert state(id)[0] == "sending"
    assert adopt() == 0
    lose_lease([id])
    recover_expired()
    assert adopt() == 1
    assert state(id) == ("failed", "address_refused")
    assert adopt() == 0


def test_a_receipt_by_message_id_waits_for_its_attempt(tenant: Tenant, account: ProviderAccount) -> None:
    assert tell(account, "delivered", MessageSid="SM-early").status_code == 204
    assert adopt() == 0
    id = send(tenant)
    attempt = attempts(id)[0]
    type(attempt).objects.filter(pk=attempt.pk).update(provider_message_id="SM-early")
    assert adopt() == 1
    assert state(id) == ("delivered", "")
    receipt = Receipt.objects.get()
    assert (receipt.delivery_id, receipt.attempt, receipt.is_pending) == (id, 1, False)


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [("sent", "sent", ""), ("delivered", "delivered", ""), ("undelivered", "failed", "address_refused")],
)
def test_what_waits_for_a_receipt_ends_by_it(
    tenant: Tenant,
    account: ProviderAccount,
    sandbox: RunningSandbox,
    settings: Settings,
    word: str,
    status: str,
    reason: str,
) -> None:
    settings.NOTIFICATION_SEND_TIMEOUT = 0.2
    sandbox.fault("twilio", accept_then_timeout=True, receipt="none")
    id = send(tenant, unknown_policy="wait")
    assert state(id) == ("sent", "awaiting_receipt")
    tell(account, word, of=id, ErrorCode="30003")
    assert state(id) == (status, reason)


def test_a_vendor_that_asks_nothing_by_get_is_refused(account: ProviderAccount) -> None:
    answer: Any = Client().get(f"/webhooks/twilio/{account.pk}")
    assert (answer.status_code, answer.json()["code"]) == (403, "receipt_refused")


def test_an_unsigned_receipt_is_refused(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    answer = post(f"/webhooks/twilio/{account.pk}?reference={id}.1", "MessageSid=SM1&MessageStatus=delivered")
    assert problem(answer) == (403, "application/problem+json", "receipt_refused")
    assert (state(id), Receipt.objects.count()) == (("sent", ""), 0)


def test_a_wrongly_signed_receipt_is_refused(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    assert problem(tell(account, "delivered", of=id, token="guessed"))[0] == 403
    assert state(id) == ("sent", "")


def test_a_receipt_signed_for_another_account_is_refused(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox
) -> None:
    """Two accounts with the same token: the signature covers the URL."""
    other = create_twilio(tenant, sandbox)
    path, said = f"/webhooks/twilio/{other.pk}", {"MessageSid": "SM1", "MessageStatus": "delivered"}
    signature = RequestValidator(TOKEN).compute_signature(django_settings.PUBLIC_URL + path, said)
    answer = post(f"/webhooks/twilio/{account.pk}", urlencode(said), {"X-Twilio-Signature": signature})
    assert problem(answer)[0] == 403


@pytest.mark.parametrize("path", ["twilio/{unknown}", "smtp/{account}", "nobody/{account}"])
def test_an_unknown_account_is_404(account: ProviderAccount, path: str) -> None:
    place = path.format(unknown=new_id(), account=account.pk)
    assert problem(tell(account, "delivered", path=f"/webhooks/{place}"))[::2] == (404, "not_found")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\0garbage", b"{}", b"MessageSid=SM1", b"&&&==="])
def test_garbage_is_refused_signed_or_not(account: ProviderAccount, body: bytes) -> None:
    path = f"/webhooks/twilio/{account.pk}"
    assert problem(post(path, body))[0] == 403
    form = dict(
        pair.split("=", 1) for pair in body.decode("utf-8", "replace").split("&") if pair.count("=") == 1
    )
    signature = RequestValidator(TOKEN).compute_signature(django_settings.PUBLIC_URL + path, form)
    assert problem(post(path, body, {"X-Twilio-Signature": signature}))[0] == 403
    assert Receipt.objects.count() == 0


def test_a_receipt_that_is_not_posted_is_405(account: ProviderAccount) -> None:
    assert Client().put(f"/webhooks/twilio/{account.pk}").status_code == 405


def test_an_account_that_cannot_be_opened_asks_for_it_again(account: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(secrets=b"x" * 40)
    answer = tell(account, "delivered")
    assert problem(answer)[::2] == (503, "unavailable")
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("word", ["delivered", "failed"])
def test_another_tenants_delivery_is_not_touched(
    tenant: Tenant, account: ProviderAccount, sandbox: RunningSandbox, word: str
) -> None:
    other = create_tenant()
    create_twilio(other, sandbox)
    theirs = send(other)
    assert tell(account, word, of=theirs, ErrorCode="30005").status_code == 204
    adopt()
    assert state(theirs) == ("sent", "")
    assert not Suppression.objects.exists()
    assert Receipt.objects.get().tenant_id == tenant.pk


def test_an_installations_account_speaks_for_every_tenant(sandbox: RunningSandbox) -> None:
    shared = create_twilio(None, sandbox)
    ids = [send(create_tenant()) for _ in range(2)]
    said = [
        ParsedReceipt(f"e{n}", "", ReceiptStatus.DELIVERED, timezone.now(), reference=f"{id}.1")
        for n, id in enumerate(ids)
    ]
    apply(shared, said)
    assert [state(id)[0] for id in ids] == ["delivered"] * 2


@pytest.mark.parametrize("reference", ["", "x", "x.1", f"{NOBODY}.1", f"{NOBODY}.x", f"{NOBODY}.{10**30}"])
def test_a_reference_that_is_none_of_ours_is_kept_and_moves_nothing(
    tenant: Tenant, account: ProviderAccount, reference: str
) -> None:
    id = send(tenant)
    said = ParsedReceipt(
        "e\0" + "x" * 300, "S\0M", ReceiptStatus.DELIVERED, timezone.now(), reference=reference
    )
    apply(account, [said, said])
    assert (state(id), Receipt.objects.count()) == (("sent", ""), 1)


def test_an_attempt_number_beyond_all_numbers_moves_nothing(tenant: Tenant, account: ProviderAccount) -> None:
    id = send(tenant)
    assert tell(account, "failed", of=id, attempt=10**30, ErrorCode="30008").status_code == 204
    assert state(id) == ("sent", "")


def test_a_batch_of_receipts_costs_no_query_each(
    tenant: Tenant, account: ProviderAccount, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ids = create_deliveries(tenant, 50)
    dispatch.run(tenant.pk, ids)
    error = ProviderError(ErrorKind.ADDRESS, "no", code="30003")
    said = [
        ParsedReceipt(f"e{n}", "", ReceiptStatus.DELIVERED, timezone.now(), reference=f"{id}.1")
        if n % 2
        else ParsedReceipt(f"e{n}", "", ReceiptStatus.FAILED, timezone.now(), error, f"{id}.1")
        for n, id in enumerate(ids)
    ]
    with django_assert_max_num_queries(30):
        apply(account, said)
    assert Delivery.objects.filter(status="delivered").count() == 25
    assert Delivery.objects.filter(status="failed").count() == 25


@pytest.mark.django_db(transaction=True)
def test_receipts_that_come_at_the_same_time_do_not_wait_for_each_other(
    tenant: Tenant, account: ProviderAccount
) -> None:
    """In opposite orders, of the same deliveries: PostgreSQL would end one of two that deadlock."""
    ids = create_deliveries(tenant, 40)
    dispatch.run(tenant.pk, ids)
    error = ProviderError(ErrorKind.ADDRESS, "no", code="30005", permanent=True)
    start = Barrier(4)

    def tell_all(worker: int) -> None:
        start.wait()
        try:
            for turn in range(3):
                name = f"{worker}.{turn}"
                said = [_mixed(f"{name}.{n}", id, n, error) for n, id in enumerate(ids)]
                apply(account, said[:: 1 if worker % 2 else -1])
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell_all, range(4)))
    assert [look(id).status for id in ids] == ["delivered", "failed"] * 20


def _mixed(event: str, id: UUID, n: int, error: ProviderError) -> ParsedReceipt:
    status = ReceiptStatus.FAILED if n % 2 else ReceiptStatus.DELIVERED
    return ParsedReceipt(event, "", status, timezone.now(), error if n % 2 else None, f"{id}.1")


def test_receipts_of_messages_that_are_not_ours_are_forgotten(
    tenant: Tenant, account: ProviderAccount
) -> None:
    ours = send(tenant)
    tell(account, "delivered", of=ours)
    strangers = [ParsedReceipt(word, word, ReceiptStatus.SENT, timezone.now()) for word in ("old", "young")]
    apply(account, strangers)
    Receipt.objects.exclude(event_id="young").update(received_at=timezone.now() - dt.timedelta(days=3))
    assert forget() == 1
    assert Receipt.objects.filter(event_id="young").exists()
    assert Receipt.objects.filter(delivery_id=ours).exists()
