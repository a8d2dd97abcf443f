"""Frequency caps from the request to the delivery: dropped, deferred, or told together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from delivery import dispatch, queue
from delivery.models import Attempt, Delivery
from delivery.tests.factories import create_smtp, create_twilio, make_due
from notifications import digest_closing, planning, receivers
from notifications.cancellation import cancel, cancel_many
from notifications.ledger import ledger
from notifications.models import Digest, FrequencyPlaces, Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from preferences import changes
from preferences.models import Category, Recipient
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published, create_template
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
TWO = {"max": 2, "per": "day"}
ONE = {"max": 1, "per": "day"}


def cap(tenant: Tenant, **over: Any) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(**over)


def texts(service: Api, count: int, **over: Any) -> list[str]:
    return [send(service, channels=["sms"], **over)["id"] for _ in range(count)]


def outcomes(service: Api, ids: list[str]) -> list[tuple[str, str]]:
    return [(found["status"], found["reason"]) for found in (look(service, id) for id in ids)]


def ages(recipient_id: UUID, by: dt.timedelta) -> None:
    """Let so much time go by for the places that they were given."""
    for row in FrequencyPlaces.objects.filter(recipient_id=recipient_id):
        row.given = [at - by for at in row.given]
        row.save()


SENT, DROPPED = ("sent", ""), ("suppressed", "frequency_cap:sms")


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": TWO})
    ids = texts(service, 3)
    drain()
    assert outcomes(service, ids) == [SENT, SENT, DROPPED]
    step = look(service, ids[2])["trace"][-1]
    assert (step["decision"], step["reason"]) == ("skip", "frequency_cap:sms")
    assert ledger(tenant.pk).balanced
    ages(Recipient.objects.get().pk, dt.timedelta(days=1))
    ids = texts(service, 1)
    drain()
    assert outcomes(service, ids) == [SENT]


def test_the_smallest_of_tenant_category_and_recipient_wins(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    """Those of tenant and recipient count all; a category's counts what is of the category."""
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    cap(tenant, frequency={"sms": {"max": 9, "per": "day"}, "all": {"max": 4, "per": "hour"}})
    Category.objects.filter(code="marketing").update(frequency={"sms": ONE})
    Recipient.objects.update(frequency={"sms": {"max": 3, "per": "week"}})
    ids = texts(service, 2, category="marketing") + texts(service, 3)
    drain()
    assert outcomes(service, ids) == [SENT, ("suppressed", "frequency_cap:category:sms"), SENT, SENT, DROPPED]
    mails = [send(service)["id"] for _ in range(2)]
    drain()
    assert outcomes(service, mails) == [SENT, ("suppressed", "frequency_cap:all")]
    scopes = FrequencyPlaces.objects.values_list("scope", flat=True)
    assert set(scopes) == {"sms", "all", "category:marketing:sms"}


def test_urgent_and_critical_pass_as_configured_and_count(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": TWO})
    Category.objects.filter(code="alert").update(is_critical=True)
    ids = texts(service, 2, priority="urgent") + texts(service, 1, category="alert") + texts(service, 1)
    drain()
    assert outcomes(service, ids) == [SENT, SENT, SENT, DROPPED]
    cap(tenant, frequency_lets_urgent_pass=False, frequency_lets_critical_pass=False)
    ids = texts(service, 1, priority="urgent") + texts(service, 1, category="alert")
    drain()
    assert outcomes(service, ids) == [DROPPED, DROPPED]


def test_what_is_deferred_goes_when_there_is_room(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": {"max": 1, "per": "hour"}}, frequency_then="defer")
    first, second, third = texts(service, 3)
    drain()
    waits = [look(service, id)["deliveries"][0] for id in (second, third)]
    assert [(found["status"], found["reason"]) for found in waits] == [("deferred", "frequency_cap:sms")] * 2
    begun = FrequencyPlaces.objects.get().given[0]
    assert [dt.datetime.fromisoformat(found["held_until"]) for found in waits] == [
        begun + dt.timedelta(hours=hours) for hours in (1, 2)
    ]
    with tenant_scope(tenant.pk):  # what they prefer changes: it keeps its time all the same
        changes.of_recipients(tenant.pk, [Recipient.objects.get().pk])
    late = texts(service, 1, expires_in=600)
    drain()
    assert outcomes(service, [first, second, late[0]]) == [
        SENT,
        ("processing", ""),
        ("expired", "frequency_cap:sms"),
    ]
    make_due(*Delivery.objects.filter(notification_id=second).values_list("pk", flat=True))
    queue.release_due(now=timezone.now())
    drain()
    assert outcomes(service, [second]) == [SENT]
    assert len(FrequencyPlaces.objects.get().given) == 3
    assert ledger(tenant.pk).balanced


def given(recipient_id: UUID | None = None) -> list[int]:
    """How many places are taken, by scope."""
    rows = FrequencyPlaces.objects.filter(**({"recipient_id": recipient_id} if recipient_id else {}))
    return [len(row.given) for row in rows.order_by("scope")]


def test_what_never_left_counts_no_more(tenant: Tenant, service: Api, sandbox: RunningSandbox) -> None:
    """It was refused, canceled, or unwanted by the time that its turn came."""

    def leave(id: UUID) -> None:
        legs = Delivery.objects.filter(notification_id=id).values_list("pk", flat=True)
        dispatch.run(tenant.pk, list(legs))

    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    cap(tenant, frequency={"sms": TWO, "all": {"max": 5, "per": "day", "then": "defer"}})
    ids = [UUID(id) for id in [*texts(service, 2), send(service)["id"]]]
    planning.plan(tenant.pk, ids)  # all three at one moment
    assert given() == [3, 2]
    assert cancel(tenant.pk, ids[0])
    assert given() == [2, 1]
    Recipient.objects.update(block="a debt", preferences_version=F("preferences_version") + 1)
    leave(ids[2])
    assert outcomes(service, [str(ids[2])]) == [("suppressed", "recipient_blocked")]
    assert given() == [1, 1]
    Recipient.objects.update(block="", preferences_version=F("preferences_version") + 1)
    sandbox.fault("twilio", reject=True)
    leave(ids[1])
    assert outcomes(service, [str(ids[1])])[0][0] == "failed"
    assert given() == [0, 0]
    assert not Notification.objects.exclude(places=None).exists()
    assert ledger(tenant.pk).balanced


def test_what_may_have_left_counts(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    """It bounced, or nobody knows whether it went."""
    create_twilio(tenant, sandbox)
    sandbox.fault("twilio", receipt="failed", receipt_delay_ms=0)
    cap(tenant, frequency={"sms": TWO})
    (bounced,) = texts(service, 1)
    drain()
    legs = Delivery.objects.filter(notification_id=bounced)
    legs.update(status="failed")
    receivers.roll_up({UUID(bounced)})
    (unclear,) = (UUID(id) for id in texts(service, 1))
    planning.plan(tenant.pk, [unclear])
    leg = Delivery.objects.get(notification_id=unclear)
    asked = {"channel": "sms", "outcome": "unknown", "started_at": timezone.now(), "number": 1}
    Attempt.objects.create(tenant=tenant, delivery=leg, **asked)
    assert cancel(tenant.pk, unclear)
    assert given() == [2]
    assert outcomes(service, texts(service, 1)) == [("accepted", "")]
    drain()
    assert Notification.objects.filter(reason="frequency_cap:sms").count() == 1


def test_two_that_give_back_and_one_that_takes_do_not_wait_for_each_other(
    tenant: Tenant, service: Api
) -> None:
    people = [create_recipient(tenant, external_id=f"p-{n}") for n in range(6)]
    cap(tenant, frequency={"sms": {"max": 50, "per": "day"}, "all": {"max": 50, "per": "day"}})

    def plan(times: int) -> list[UUID]:
        made = [texts(service, 1, recipient=who.external_id)[0] for who in people for _ in range(times)]
        return [UUID(id) for id in made]

    first, second = plan(2), plan(1)
    planning.plan(tenant.pk, first)
    start = Barrier(3)
    work: list[Callable[[], object]] = [
        lambda: _cancel(tenant.pk, first[::2]),
        lambda: _cancel(tenant.pk, first[1::2][::-1]),
        lambda: planning.plan(tenant.pk, second),
    ]

    def run(turn: int) -> None:
        start.wait(timeout=10)
        work[turn]()
        connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert given() == [1] * 12


def _cancel(tenant_id: UUID, ids: list[UUID]) -> None:
    with tenant_scope(tenant_id):
        cancel_many(tenant_id, ids)


def test_a_chain_goes_by_what_has_room(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    cap(tenant, frequency={"sms": ONE})
    ids = [send(service, channels=[["sms", "email"]])["id"] for _ in range(2)]
    drain()
    assert [look(service, id)["deliveries"][0]["channel"] for id in ids] == ["sms", "email"]


@pytest.fixture
def updates(tenant: Tenant) -> None:
    words = "{{ total }}: {% for item in items %}{{ item.n }} {% endfor %}"
    sample = {"items": [{"n": 1}], "count": 1, "total": 1}
    template = create_template(tenant, "updates", digest={"window": "held"})
    create_published(tenant, Draft("sms", "en", {"body": words}), sample_data=sample, template=template)


def update(service: Api, n: int, **over: Any) -> str:
    wanted = a_notification(template="updates", data={"n": n}, channels=["sms"], **over)
    del wanted["content"]
    answer = service.post(f"{NOTIFICATIONS}/send", wanted)
    assert answer.status_code == 202, answer.json()
    id: str = answer.json()["id"]
    return id


def test_what_has_no_room_is_told_together_once_there_is(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, updates: None
) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": {"max": 1, "per": "hour", "then": "digest"}})
    ids = [update(service, n) for n in range(4)]
    drain()
    digest = Digest.objects.get()
    assert digest.closes_at == FrequencyPlaces.objects.get().given[0] + dt.timedelta(hours=1)
    assert [found[0] for found in outcomes(service, ids)] == ["sent", *["processing"] * 3]
    assert [step["reason"] for step in look(service, ids[1])["trace"]][-2:] == [
        "frequency_cap:sms",
        f"digest:{digest.pk}",
    ]
    ages(Recipient.objects.get().pk, dt.timedelta(hours=1))
    digest_closing.close_due(now=digest.closes_at)
    drain()
    assert [message["text"].strip() for message in sandbox.messages()] == ["3: 1 2 3", "1: 0"]
    assert outcomes(service, ids[:2]) == [SENT, ("sent", f"digest:{digest.pk}")]
    plain = texts(service, 1)  # ready content cannot be told with others: it waits by itself
    drain()
    assert look(service, plain[0])["deliveries"][0]["reason"] == "frequency_cap:sms"
    assert ledger(tenant.pk).balanced


def test_what_quiet_hours_hold_is_told_together_where_that_is_wished(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, updates: None
) -> None:
    create_twilio(tenant, sandbox)
    now = timezone.now()
    quiet = {
        "enabled": True,
        "start": "00:00",
        "end": f"{now + dt.timedelta(hours=2):%H}:00",
        "timezone": "UTC",
    }
    if now.hour >= 21:
        quiet |= {"start": "20:00", "end": "04:00"}
    Recipient.objects.update(quiet_hours={**quiet, "digest": True})
    ids = [update(service, n) for n in range(3)]
    drain()
    assert Delivery.objects.count() == 0
    digest = Digest.objects.get()
    assert digest.closes_at > now
    assert [found[1] for found in outcomes(service, ids)] == [f"digest:{digest.pk}"] * 3
    Recipient.objects.update(quiet_hours=None)
    digest_closing.close_due(now=digest.closes_at)
    drain()
    assert [message["text"].strip() for message in sandbox.messages()] == ["3: 0 1 2"]


def test_two_chunks_never_both_take_the_last_place(tenant: Tenant, service: Api) -> None:
    cap(tenant, frequency={"sms": {"max": 5, "per": "day"}, "all": {"max": 9, "per": "day"}})
    ids = [UUID(id) for id in texts(service, 12)]
    start = Barrier(4)

    def plan(turn: int) -> None:
        start.wait(timeout=10)
        planning.plan(tenant.pk, ids[turn::4])
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(plan, range(4)))
    assert Delivery.objects.count() == 5
    assert Notification.objects.filter(reason="frequency_cap:sms").count() == 7


def test_it_costs_a_chunk_two_statements(tenant: Tenant, service: Api) -> None:
    for n in range(40):
        create_recipient(tenant, external_id=f"many-{n}")
    items = [a_notification(recipient=f"many-{n}", channels=["sms"]) for n in range(40)]

    def statements() -> int:
        service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": items})
        with CaptureQueriesContext(connection) as captured:
            assert len(planning.plan_next(tenant.pk, 200)) == 40
        return len(captured)

    before = statements()
    cap(tenant, frequency={"sms": {"max": 5, "per": "day"}})
    assert statements() == before + 2


def test_test_keys_count_for_themselves_and_strangers_not_at_all(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": ONE})
    texts(api(create_api_key(tenant, mode="test")), 1)
    ids = texts(service, 1) + texts(service, 2, recipient={"phone": "+15005550009"})
    drain()
    assert "frequency_cap:sms" not in {reason for _, reason in outcomes(service, ids)}
    assert outcomes(service, ids[:1]) == [SENT]


def test_explain_says_it_and_takes_no_place(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_twilio(tenant, sandbox)
    cap(tenant, frequency={"sms": ONE}, frequency_then="defer")
    wanted = a_notification(channels=["sms"])
    assert service.post(f"{NOTIFICATIONS}/explain", wanted).json()["deliveries"][0]["held"] is None
    texts(service, 1)
    drain()
    held = service.post(f"{NOTIFICATIONS}/explain", wanted).json()["deliveries"][0]["held"]
    assert held["reason"] == "frequency_cap:sms"
    assert len(FrequencyPlaces.objects.get().given) == 1
