"""accepted = delivered + sent + failed + suppressed + expired + canceled + in flight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from delivery import dead_letters
from delivery.models import Delivery
from delivery.recovery import recover_expired
from delivery.tests.factories import create_smtp, create_twilio, lose_lease, make_due
from notifications.cancellation import cancel
from notifications.ledger import Ledger, ledger
from notifications.models import Intake, Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification, send
from preferences.directory import suppress
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


def books(tenant: Tenant) -> Ledger:
    found = ledger(tenant.pk)
    assert found.balanced, found
    return found


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    create_smtp(tenant, sandbox)
    for _ in range(3):
        send(service)
    assert books(tenant) == Ledger(3, {"accepted": 3}, 0, 0)
    assert books(tenant).in_flight == 3
    drain()
    assert books(tenant) == Ledger(3, {"sent": 3}, 0, 0)
    assert books(tenant).in_flight == 0


def test_it_balances_before_anything_happened(tenant: Tenant) -> None:
    assert books(tenant) == Ledger(0, {}, 0, 0)


def test_it_balances_whatever_becomes_of_them(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    create_twilio(tenant, sandbox)
    suppress(tenant.pk, [("email", "gone@example.com", "bounced")])
    send(service)
    send(service, channels=["sms", "email", "in_app"])
    send(service, recipient={"phone": "+15005550009"}, channels=["sms"])
    send(service, recipient={"email": "gone@example.com"})
    send(service, recipient="stranger")
    send(service, expires_in=1, delay=1)
    canceled = send(service, delay=3600)
    cancel(tenant.pk, canceled["id"])
    items = [a_notification(), a_notification(channels=["carrier-pigeon"]), a_notification(channels=["push"])]
    service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": items})
    drain()
    found = books(tenant)
    assert found.accepted == 9
    assert {**found.became} == {"sent": 3, "failed": 3, "suppressed": 1, "canceled": 1, "scheduled": 1}


def test_it_balances_while_they_are_tried_again(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(account.settings["account_sid"], status=503)
    send(service, channels=["sms"])
    drain()
    assert books(tenant).became == {"processing": 1}


def test_it_balances_after_a_worker_was_lost(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    send(service, channels=["sms"])
    drain()
    Delivery.objects.update(status="sending")
    Notification.objects.update(status="processing")
    lose_lease(Delivery.objects.values_list("pk", flat=True))  # type: ignore[arg-type]
    recover_expired()
    books(tenant)
    make_due(*Delivery.objects.values_list("pk", flat=True))
    drain()
    assert books(tenant).became == {"sent": 1}


def test_it_balances_when_a_dead_letter_is_sent_again(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    send(service)
    drain()
    assert books(tenant).became == {"failed": 1}
    create_smtp(tenant, sandbox)
    dead_letters.retry(tenant.pk, list(Delivery.objects.values_list("pk", flat=True)))
    assert books(tenant).became == {"processing": 1}
    drain()
    assert books(tenant).became == {"sent": 1}


def test_it_keeps_tenants_apart(tenant: Tenant, service: Api) -> None:
    other = create_tenant()
    send(service)
    assert (books(tenant).accepted, books(other).accepted) == (1, 0)
    assert api(create_api_key(other)).get(NOTIFICATIONS).json()["results"] == []


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("lost", {"missing": 1}),
        ("twice", {"missing": -1}),
        ("ended too early", {"ended_with_open_deliveries": 1}),
        ("stuck", {"stuck_in_process": 1}),
    ],
)
def test_it_finds_what_does_not_balance(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, wrong: str, expected: dict[str, Any]
) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(account.settings["account_sid"], status=503)
    send(service, channels=["sms"])
    drain()
    match wrong:
        case "lost":
            Notification.objects.all().delete()
        case "twice":
            Intake.objects.all().delete()
        case "ended too early":
            Notification.objects.update(status="failed")
        case "stuck":
            Delivery.objects.update(status="failed")
    found = ledger(tenant.pk)
    assert not found.balanced
    assert {name: getattr(found, name) for name in expected} == expected
