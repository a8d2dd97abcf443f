"""A chain with `within`, from the request to what its reader stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from delivery.escalation import escalate_due
from delivery.models import Delivery
from delivery.tests.factories import create_smtp, create_twilio
from notifications import changes
from notifications.models import Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification, a_template, look, send
from notifications.tests.feeds import mailbox_of
from preferences.models import Recipient
from sandbox.testing import RunningSandbox
from tenants.authentication import mint_recipient_token
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import Api, api

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
CHAIN = [{"chain": ["in_app", "sms"], "within": 600}]
ME = "/api/v1/users/me/notifications"


@pytest.fixture(autouse=True)
def accounts(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    sandbox.fault("twilio", receipt="none")


def escalate() -> int:
    """The time that chains wait is over."""
    Delivery.objects.filter(escalate_at__isnull=False).update(escalate_at=timezone.now())
    return escalate_due(now=timezone.now())


def statuses(service: Api, id: str) -> dict[str, tuple[str, str]]:
    return {d["channel"]: (d["status"], d["reason"]) for d in look(service, id)["deliveries"]}


def test_it_works(service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    (waiting,) = look(service, id)["deliveries"]
    assert (waiting["status"], waiting["within"], sandbox.messages()) == ("sent", 600, [])
    assert escalate() == 1
    drain()
    assert statuses(service, id) == {"in_app": ("sent", "not_seen_in_time"), "sms": ("sent", "")}
    assert [message["channel"] for message in sandbox.messages()] == ["sms"]


def test_it_tells_the_story(service: Api, drain: Drain) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    escalate()
    drain()
    told = look(service, id)
    assert told["channels"] == CHAIN
    (step,) = [step for step in told["trace"] if step["step"] == "escalate"]
    assert (step["channel"], step["decision"], step["reason"]) == ("in_app", "sms", "not_seen_in_time")
    first, second = told["deliveries"]
    assert second["escalated_from"] == first["id"]


def test_what_was_sent_never_goes_back(service: Api, drain: Drain) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    escalate()
    assert statuses(service, id)["sms"] == ("queued", "")
    assert look(service, id)["status"] == "sent"


def read_by_api(me: Api, tenant: Tenant, id: str) -> None:
    assert me.patch(f"{ME}/{id}/read").status_code == 200


def read_all(me: Api, tenant: Tenant, id: str) -> None:
    assert me.post(f"{ME}/mark-all-read").status_code == 200


def archive(me: Api, tenant: Tenant, id: str) -> None:
    assert me.patch(f"{ME}/{id}/archive").status_code == 200


def read_in_the_feed(me: Api, tenant: Tenant, id: str) -> None:
    """As the websocket's command does."""
    with tenant_scope(tenant.pk):
        changes.mark_read(mailbox_of(Recipient.objects.get()), [Notification.objects.get().pk])


@pytest.mark.parametrize("see", [read_by_api, read_all, archive, read_in_the_feed])
def test_its_reader_stops_it(tenant: Tenant, service: Api, drain: Drain, see: Any) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    token, _ = mint_recipient_token(tenant, "ann", "user")
    see(api(token), tenant, id)
    assert escalate() == 0
    assert statuses(service, id).keys() == {"in_app"}


def test_having_reached_a_client_does_not(tenant: Tenant, service: Api, drain: Drain) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    with tenant_scope(tenant.pk):
        changes.mark_received(mailbox_of(Recipient.objects.get()), [Notification.objects.get().pk])
    assert escalate() == 1
    assert statuses(service, id)["in_app"] == ("delivered", "not_seen_in_time")


def test_reading_stops_the_other_legs_too(tenant: Tenant, service: Api, drain: Drain) -> None:
    id = send(service, channels=["in_app", {"chain": ["sms", "email"], "within": 600}])["id"]
    drain()
    token, _ = mint_recipient_token(tenant, "ann", "user")
    read_by_api(api(token), tenant, id)
    assert escalate() == 0


def test_canceling_stops_it(service: Api, drain: Drain) -> None:
    id = send(service, channels=CHAIN)["id"]
    drain()
    assert service.delete(f"{NOTIFICATIONS}/{id}").status_code < 300
    assert service.delete(f"{NOTIFICATIONS}/{id}").status_code == 409
    assert (escalate(), look(service, id)["status"]) == (0, "sent")


def test_canceling_its_batch_stops_it(service: Api, drain: Drain) -> None:
    said = {"notifications": [a_notification(channels=CHAIN)] * 3, "total_expected": 3}
    batch = service.post(f"{NOTIFICATIONS}/send-batch", said).json()["batch_id"]
    drain()
    assert Delivery.objects.filter(escalate_at__isnull=False).count() == 3
    assert service.delete(f"{NOTIFICATIONS}/batches/{batch}").status_code < 300
    assert escalate() == 0


def test_the_tenants_default_may_wait_too(tenant: Tenant, service: Api, drain: Drain) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(default_channels=CHAIN)
    send(service, channels=None)
    drain()
    assert escalate() == 1


def test_it_explains(service: Api) -> None:
    body = a_notification(channels=[{"chain": ["in_app", "sms", "email"], "within": 60}])
    (told,) = service.post(f"{NOTIFICATIONS}/explain", body).json()["deliveries"]
    assert [route["waits"] for route in told["routes"]] == [
        {"seconds": 60, "unless": "seen"},
        {"seconds": 60, "unless": "delivered"},
        None,
    ]


@pytest.mark.parametrize(
    ("entry", "pointer"),
    [
        ({"chain": ["push", "sms"], "within": 0}, "/channels/0/within"),
        ({"chain": ["push", "sms"], "within": 604_801}, "/channels/0/within"),
        ({"chain": ["push", "sms"], "within": True}, "/channels/0/within"),
        ({"chain": [], "within": 5}, "/channels/0/chain"),
        ({"chain": ["push", "sms"], "within": 5, "until": 6}, "/channels/0/until"),
        ({"chain": ["push", "fax"], "within": 5}, "/channels/0/chain/1"),
    ],
)
def test_it_points_at_what_is_wrong(service: Api, entry: Any, pointer: str) -> None:
    answer = service.post(f"{NOTIFICATIONS}/send", a_notification(channels=[entry]))
    assert answer.status_code in {400, 422}
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_channel_alone_falls_back_as_the_tenant_says(tenant: Tenant, service: Api, drain: Drain) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(fallback={"sms": ["sms", "whatsapp", "email"]})
    id = send(service, channels=["sms"])["id"]
    drain()
    told = look(service, id)
    assert told["channels"] == ["sms"]
    assert [route["channel"] for route in told["deliveries"][0]["routes"]] == ["sms", "whatsapp", "email"]
    alone = send(service, channels=[["sms"]])["id"]
    drain()
    assert [route["channel"] for route in look(service, alone)["deliveries"][0]["routes"]] == ["sms"]


def test_the_tenants_channels_without_content_are_skipped(tenant: Tenant, service: Api, drain: Drain) -> None:
    a_template(tenant)
    Tenant.objects.filter(pk=tenant.pk).update(default_channels=["in_app", ["sms", "email"]])
    id = send(service, content=None, template="greeting", data={"name": "Ann"}, channels=None)["id"]
    drain()
    told = look(service, id)
    assert [d["channel"] for d in told["deliveries"]] == ["sms"]
    assert ("in_app", "skip", "no_content") in [
        (step.get("channel"), step["decision"], step["reason"]) for step in told["trace"]
    ]


def test_a_delivery_without_within_says_so(service: Api, drain: Drain) -> None:
    send(service, channels=["email"])
    drain()
    assert Delivery.objects.get().within is None
