"""Accounts that point at a sandbox, and deliveries as planning leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from delivery import queue
from delivery.accounts import set_settings
from delivery.models import Attempt, Delivery, ProviderAccount
from delivery.queue import NewDelivery
from delivery.siblings import ring_together
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant

_number = count(1)

SMS = ("sms", "+15005550006")
EMAIL = ("email", "ann@example.com")
CONTENT = {"subject": "Your order A-17", "body": "It is on its way."}


def create_account(
    tenant: Tenant | None, channel: str, provider: str, settings: dict[str, Any], **over: Any
) -> ProviderAccount:
    name = f"{provider}-{next(_number)}"
    account = ProviderAccount(tenant=tenant, name=name, channel=channel, provider=provider)
    for field, value in over.items():
        setattr(account, field, value)
    set_settings(account, settings)
    account.save()
    return account


def create_twilio(tenant: Tenant | None, sandbox: RunningSandbox, **over: Any) -> ProviderAccount:
    return create_account(tenant, "sms", "twilio", twilio_settings(sandbox.http_url), **over)


def twilio_settings(base_url: str) -> dict[str, Any]:
    return {
        "account_sid": f"AC{next(_number):032d}",
        "auth_token": "twilio-token",
        "sender": "+15005550006",
        "base_url": base_url,
    }


def create_smtp(tenant: Tenant | None, sandbox: RunningSandbox, **over: Any) -> ProviderAccount:
    settings = {
        "host": "127.0.0.1",
        "port": sandbox.smtp_port,
        "security": "none",
        "sender": "Shop <hello@shop.example>",
    }
    return create_account(tenant, "email", "smtp", settings, **over)


def create_deliveries(tenant: Tenant, number: int, *routes: tuple[str, str], **over: Any) -> list[UUID]:
    """Queued deliveries, due at once, with ready content; by SMS unless told otherwise."""
    made = [new_delivery(*routes, **over) for _ in range(number)]
    with tenant_scope(tenant.pk):
        queue.enqueue(tenant.pk, made, now=timezone.now())
    return [delivery.id for delivery in made]


def new_delivery(*routes: tuple[str, str], **over: Any) -> NewDelivery:
    fields = {
        "recipient_id": None,
        "category": "transactional",
        "priority": 6,
        "routes": routes or (SMS,),
        "template_version_id": None,
        "locale": "en",
        "payload": {"content": CONTENT},
        "is_test": False,
        "unknown_policy": "resend",
        "deadline": None,
    }
    return NewDelivery(id=new_id(), notification_id=new_id(), **{**fields, **over})


def create_together(tenant: Tenant, *routes: tuple[str, str], **over: Any) -> list[UUID]:
    """As planning stores a chain: a delivery for each device that it begins with."""
    made = ring_together(new_delivery(*routes, **over))
    with tenant_scope(tenant.pk):
        queue.enqueue(tenant.pk, made, now=timezone.now())
    return [delivery.id for delivery in made]


def create_delivery(tenant: Tenant, *routes: tuple[str, str], **over: Any) -> UUID:
    return create_deliveries(tenant, 1, *routes, **over)[0]


def look(delivery_id: UUID) -> Delivery:
    return Delivery.objects.get(pk=delivery_id)


def attempts(delivery_id: UUID) -> list[Attempt]:
    return list(Attempt.objects.filter(delivery_id=delivery_id).order_by("number", "id"))


def outcomes(delivery_id: UUID) -> list[tuple[str, str]]:
    return [(attempt.outcome, attempt.code) for attempt in attempts(delivery_id)]


def make_due(*delivery_ids: UUID) -> None:
    """The time that a delivery waits for has come."""
    now = timezone.now()
    Delivery.objects.filter(pk__in=delivery_ids).update(due_at=now, ring_at=now)


def lose_lease(delivery_ids: Sequence[UUID]) -> None:
    """The worker that holds these was killed long enough ago."""
    Delivery.objects.filter(pk__in=delivery_ids).update(lease_until=timezone.now())
