"""Whose turn it is: batches a window at a time, tenants in turn, the scheduled when they are due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import LazySettings, settings
from django.utils import timezone

from delivery import queue
from delivery.models import Delivery
from delivery.tests.factories import create_smtp, create_twilio
from notifications import release
from notifications.models import Notification, NotificationStatus
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from preferences.categories import create_default_categories
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


def send_batch(service: Api, count: int, **over: Any) -> None:
    answer = service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": [a_notification(**over)] * count})
    assert answer.json()["accepted"] == count


def accepted(tenant: Tenant) -> int:
    return Notification.objects.filter(tenant_id=tenant.pk, status=NotificationStatus.ACCEPTED).count()


@pytest.fixture
def small_chunks(settings: LazySettings) -> None:
    settings.NOTIFICATION_CHUNK_SIZE = 5
    settings.NOTIFICATION_RELEASE_WINDOW = 2


def test_it_works(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, small_chunks: None
) -> None:
    create_smtp(tenant, sandbox)
    send_batch(service, 23)
    drain()
    assert Notification.objects.filter(status=NotificationStatus.SENT).count() == 23
    assert len(sandbox.messages()) == 23


def test_it_holds_no_more_than_a_window_before_the_channels(
    tenant: Tenant, service: Api, small_chunks: None
) -> None:
    send_batch(service, 40)
    for _ in range(8):
        release.plan_waiting()
    assert queue.waiting(1000, now=timezone.now()) == 10
    assert accepted(tenant) == 30


def test_it_lets_tenants_take_turns(tenant: Tenant, service: Api, small_chunks: None) -> None:
    send_batch(service, 40)
    other = create_tenant()
    create_default_categories(other)
    create_recipient(other, external_id="ann", email="ann@example.com")
    send_batch(api(create_api_key(other)), 40)
    release.plan_waiting()
    assert (accepted(tenant), accepted(other)) == (35, 35)


def test_it_takes_the_urgent_of_a_batch_first(tenant: Tenant, service: Api, small_chunks: None) -> None:
    send_batch(service, 5, priority="low")
    send_batch(service, 5, priority="high")
    release.plan_waiting()
    assert set(Delivery.objects.values_list("priority", flat=True)[:5]) == {3}


def test_an_urgent_one_is_sent_without_a_second_queue(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    id = send(service, channels=["sms"], priority="urgent")["id"]
    assert drain() == ["notifications.plan"]
    assert look(service, id)["status"] == "sent"


def test_the_scheduled_fall_due(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    create_smtp(tenant, sandbox)
    id = send(service, delay=60)["id"]
    release.plan_due()
    drain()
    assert look(service, id)["status"] == "scheduled"
    Notification.objects.update(send_at=timezone.now())
    release.plan_due()
    drain()
    assert look(service, id)["status"] == "sent"


def test_a_lost_ring_is_rung_again(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    id = send(service)["id"]
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
    assert drain() == []
    release.plan_due()
    drain()
    assert look(service, id)["status"] == "sent"


def test_a_repeated_ring_does_nothing(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    id = send(service)["id"]
    for _ in range(3):
        current_app.send_task("notifications.plan", (str(tenant.pk), [id]), queue="plan")
    drain()
    delivery = Delivery.objects.get()
    for _ in range(3):
        current_app.send_task("delivery.dispatch", (str(tenant.pk), [str(delivery.pk)]), queue="email")
    drain()
    assert len(sandbox.messages()) == 1
