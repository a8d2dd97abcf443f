"""What a text message by SMPP costs with its receipt: sent, heard of again, found in the database, settled.

What stands in the database before the receipt comes (the delivery and its attempt) is written here outside
of what is measured, for it is no work of the provider's nor of the receipt's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import orjson
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from bench.cost import Cost
from config import sandboxed
from delivery import loop, receipts
from delivery.accounts import instance, set_settings
from delivery.models import Attempt, Delivery, ProviderAccount
from delivery.providers.base import Content, Inbound, Message, ParsedReceipt, Provider, Sent
from delivery.registry import provider
from tenants.ids import new_id
from tenants.models import Tenant

CHUNK = 200
ROUNDS = 5
RECEIPT_DELAY_MS = 500
"""Long enough for the attempts to stand in the database: what comes before them is told apart and waits."""
PATIENCE_S = 30.0

_direct = build_opener(ProxyHandler({}))  # the sandbox is not behind the proxy that the environment names


def measure(n: int, content: Content) -> Cost:
    """The median of a few rounds of chunks, after one that does not count. Migrates the database first."""
    call_command("migrate", verbosity=0)
    account = _account()
    heard = Heard(account)
    smpp = instance(account, provider("sms", "smpp"), heard.report)
    _delay_receipts()
    _send_and_hear(smpp, account, heard, content)
    chunks = max(1, n // CHUNK // ROUNDS)
    rounds = [[_send_and_hear(smpp, account, heard, content) for _ in range(chunks)] for _ in range(ROUNDS)]
    cpu = [sum(used for used, _ in chunk) / len(chunk) / CHUNK for chunk in rounds]
    clock = [sum(took for _, took in chunk) / len(chunk) / CHUNK for chunk in rounds]
    return Cost(median(cpu) * 1e6, 1 / median(clock))


class Heard:
    """Takes what the bind hears as dispatch does, and counts it."""

    def __init__(self, account: ProviderAccount) -> None:
        self._account = account
        self._news = threading.Condition()
        self.count = 0

    def report(self, told: Sequence[ParsedReceipt | Inbound]) -> None:
        receipts.report(self._account, told)
        with self._news:
            self.count += len(told)
            self._news.notify_all()

    def wait_for(self, count: int) -> None:
        with self._news:
            if not self._news.wait_for(lambda: self.count >= count, PATIENCE_S):
                raise SystemExit(f"error: {self.count} receipts came, of {count}")


def _account() -> ProviderAccount:
    tenant = Tenant.objects.create(slug=f"bench-{new_id()}"[:63], name="Bench")
    account = ProviderAccount(tenant=tenant, name="smpp", channel="sms", provider="smpp")
    set_settings(account, sandboxed.settings_of("sms", "smpp", "bench-smpp"))
    account.save()
    return account


def _delay_receipts() -> None:
    fault = orjson.dumps({"receipt_delay_ms": RECEIPT_DELAY_MS})
    headers = {"Content-Type": "application/json"}
    url = f"{settings.SANDBOX_URL}/api/faults/smpp"
    _direct.open(Request(url, fault, headers, method="PUT"), timeout=PATIENCE_S).close()  # noqa: S310 - our own


def _send_and_hear(
    smpp: Provider, account: ProviderAccount, heard: Heard, content: Content
) -> tuple[float, float]:
    """Seconds of CPU and of the clock for one chunk, without those that wait for the receipts to set out."""
    deliveries = [_delivery(account, number) for number in range(CHUNK)]
    messages = [Message(d.pk, f"{d.pk}.1", d.address, content) for d in deliveries]
    until = heard.count + CHUNK
    began, used = time.perf_counter(), time.process_time()
    outcomes = loop.run(smpp.send(messages))
    sent_in, sent_by = time.perf_counter() - began, time.process_time() - used
    _record(account, deliveries, outcomes)
    time.sleep(max(0.0, RECEIPT_DELAY_MS / 1000 - (time.perf_counter() - began)))
    began, used = time.perf_counter(), time.process_time()
    heard.wait_for(until)
    heard_in, heard_by = time.perf_counter() - began, time.process_time() - used
    delivered = Delivery.objects.filter(pk__in=[d.pk for d in deliveries], status="delivered").count()
    if delivered < CHUNK:
        raise SystemExit(f"error: {CHUNK - delivered} receipts did not find their delivery")
    return sent_by + heard_by, sent_in + heard_in


def _delivery(account: ProviderAccount, number: int) -> Delivery:
    address, now = sandboxed.address("sms", "smpp", number), timezone.now()
    return Delivery(
        tenant=account.tenant,
        notification_id=new_id(),
        category="transactional",
        priority=6,
        status="sent",
        routes=[["sms", address]],
        channel="sms",
        address=address,
        locale="en",
        payload={},
        unknown_policy="resend",
        attempt=1,
        account_id=account.pk,
        sent_at=now,
    )


def _record(account: ProviderAccount, deliveries: Sequence[Delivery], outcomes: Sequence[Any]) -> None:
    Delivery.objects.bulk_create(deliveries)
    Attempt.objects.bulk_create(_attempt(account, d, o) for d, o in zip(deliveries, outcomes, strict=True))


def _attempt(account: ProviderAccount, delivery: Delivery, outcome: Any) -> Attempt:
    """Raises when the message was not taken."""
    if not isinstance(outcome, Sent):
        raise outcome
    return Attempt(
        tenant=delivery.tenant,
        delivery_id=delivery.pk,
        number=1,
        channel="sms",
        provider="smpp",
        account_id=account.pk,
        account_name=account.name,
        outcome="sent",
        provider_message_id=outcome.message_id,
        part_ids=list(outcome.part_ids),
        started_at=timezone.now(),
    )
