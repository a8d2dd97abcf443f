"""Operators are told what is theirs to mend, once an hour for a cause."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from delivery.tests.factories import create_smtp, create_twilio
from notifications.ledger import ledger
from notifications.models import FeedItem, Notification
from notifications.tests.calls import send
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ops(tenant: Tenant) -> Tenant:
    create_recipient(tenant, external_id="ops")
    tenant.alert_recipients = ["ops"]
    tenant.save()
    return tenant


def told() -> list[str]:
    alerts = Notification.objects.filter(recipient_external_id="ops").order_by("pk")
    return [alert.content["title"] for alert in alerts if alert.content]


def fail(service: Api, drain: Any, **over: Any) -> None:
    """By SMS, for which there is no account."""
    send(service, **{"channels": ["sms"], **over})
    drain()


def test_it_works(tenant: Tenant, service: Api, drain: Any) -> None:
    fail(service, drain)
    assert told() == ["Deliveries by sms fail: no_account"]
    (item,) = FeedItem.objects.all()
    assert (item.category, item.type) == ("system", "error")
    assert "A delivery by sms just failed with the reason 'no_account'" in item.body
    assert ledger(tenant.pk).balanced


def test_a_cause_is_told_once_an_hour(service: Api, drain: Any) -> None:
    for _ in range(3):
        fail(service, drain)
    assert len(told()) == 1
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=61), tick=True):
        fail(service, drain)
    assert len(told()) == 2


def test_another_cause_is_told_too(service: Api, drain: Any) -> None:
    fail(service, drain)
    fail(service, drain, channels=["whatsapp"])
    assert told() == ["Deliveries by sms fail: no_account", "Deliveries by whatsapp fail: no_account"]


def test_each_of_them_is_told(tenant: Tenant, service: Api, drain: Any) -> None:
    create_recipient(tenant, external_id="night-shift")
    Tenant.objects.update(alert_recipients=["ops", "night-shift"])
    fail(service, drain)
    assert FeedItem.objects.count() == 2


def test_nobody_is_told_of_a_wrong_number(
    tenant: Tenant, service: Api, drain: Any, sandbox: RunningSandbox
) -> None:
    create_twilio(tenant, sandbox)
    fail(service, drain, recipient={"id": "bob", "phone": "+15005550009"})
    assert told() == []


def test_nobody_is_told_where_nobody_asked(service: Api, drain: Any) -> None:
    Tenant.objects.update(alert_recipients=[])
    fail(service, drain)
    assert told() == []


def test_an_alert_that_cannot_be_told_undoes_nothing(tenant: Tenant, service: Api, drain: Any) -> None:
    Tenant.objects.update(alert_recipients=["nobody-knows-them", 7])
    fail(service, drain)
    assert ledger(tenant.pk).balanced
    assert Notification.objects.get(recipient_external_id="ann").status == "failed"


def test_what_waits_for_its_account_is_told_too(
    tenant: Tenant, service: Api, drain: Any, sandbox: RunningSandbox
) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(account.settings["account_sid"], status=401)
    fail(service, drain)
    assert told() == ["Deliveries by sms wait for their account"]
    assert ledger(tenant.pk).became == {"processing": 1, "sent": 1}


def test_it_does_not_go_by_the_channel_that_fails(
    tenant: Tenant, service: Api, drain: Any, sandbox: RunningSandbox
) -> None:
    create_smtp(tenant, sandbox)
    fail(service, drain)
    assert [message["to"] for message in sandbox.messages()] == ["ops@example.com"]
