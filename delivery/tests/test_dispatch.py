"""A chunk's way to its recipients, end to end: real sockets, a vendor that can be told to misbehave."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.embedded.valkey import free_port
from delivery import dispatch, intervening
from delivery.models import Delivery, ProviderAccount
from delivery.signals import Change, deliveries_changed
from delivery.tests.factories import (
    CONTENT,
    EMAIL,
    SMS,
    attempts,
    create_account,
    create_deliveries,
    create_delivery,
    create_smtp,
    create_twilio,
    look,
    make_due,
    outcomes,
)
from preferences.models import Suppression
from preferences.suppressions import among
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tracing import correlated

pytestmark = pytest.mark.django_db

INCAPABLE = ("sms", "+15005550009")


def send(tenant: Tenant, *ids: UUID) -> None:
    """Dispatch, after whatever they wait for."""
    make_due(*ids)
    dispatch.run(tenant.pk, list(ids))


def state(id: UUID) -> tuple[str, str]:
    row = look(id)
    return row.status, row.reason


def seconds_until_due(id: UUID) -> float:
    return (look(id).due_at - timezone.now()).total_seconds()


def sid(account: ProviderAccount) -> str:
    """What the sandbox calls an account of Twilio's."""
    value: str = account.settings["account_sid"]
    return value


def test_it_works(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    id = create_delivery(tenant)
    send(tenant, id)
    (message,) = sandbox.messages()
    assert (message["to"], message["text"]) == (SMS[1], CONTENT["body"])
    row = look(id)
    assert (row.status, row.reason, row.account_id, row.lease_until) == ("sent", "", account.pk, None)
    assert row.sent_at is not None


def test_it_records_the_attempt(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), latency_ms=30)
    id = create_delivery(tenant)
    send(tenant, id)
    (attempt,) = attempts(id)
    assert (attempt.number, attempt.route, attempt.channel, attempt.provider) == (1, 0, "sms", "twilio")
    assert (attempt.account_id, attempt.account_name) == (account.pk, account.name)
    assert (attempt.outcome, attempt.code, attempt.chosen_because) == ("sent", "", "priority 10")
    assert attempt.provider_message_id.startswith("SM")
    assert 30 <= attempt.latency_ms < 5_000
    assert attempt.tenant_id == tenant.pk


def test_the_callers_trace_is_continued_to_the_provider(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    trace, caller = 32 * "a", 16 * "b"
    with correlated("request", f"00-{trace}-{caller}-01"):
        send(tenant, create_delivery(tenant))
    (message,) = sandbox.messages()
    version, trace_id, parent, flags = message["headers"]["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", trace, "01")
    assert parent != caller


def test_it_is_sent_once_however_often_it_is_rung_for(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    ids = create_deliveries(tenant, 5)
    for _ in range(3):
        dispatch.run(tenant.pk, ids)
    assert len(sandbox.messages()) == 5


def test_it_sends_email_and_renders_templates(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    version = create_published(tenant)
    id = create_delivery(tenant, template_version_id=version.pk, payload={"data": {"name": "Ann"}})
    send(tenant, id)
    assert [message["text"] for message in sandbox.messages()] == ["Hi Ann"]


def test_it_uses_an_account_for_test_keys_that_is_a_sandbox(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    ours = create_twilio(tenant, sandbox, is_sandbox=True)
    id = create_delivery(tenant, is_test=True)
    send(tenant, id)
    assert [message["account"] for message in sandbox.messages()] == [sid(ours)]


def test_a_test_keys_delivery_never_goes_by_a_real_account(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    id = create_delivery(tenant, is_test=True)
    send(tenant, id)
    assert state(id) == ("failed", "no_account")
    assert sandbox.messages() == []


def test_a_503_is_tried_again_2_seconds_later(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=503, times=1)
    id = create_delivery(tenant)
    send(tenant, id)
    assert state(id) == ("queued", "retrying")
    assert 0.5 < seconds_until_due(id) <= 2.5
    dispatch.run(tenant.pk, [id])
    assert len(attempts(id)) == 1, "it is not due yet"
    send(tenant, id)
    assert state(id) == ("sent", "")
    first, second = attempts(id)
    assert (first.outcome, first.code, first.next_step) == ("transient", "503", "transient, retry 1 of 3")
    assert second.chosen_because == "retry with the same account"


def test_it_goes_to_the_next_account_when_retries_are_spent(tenant: Tenant, sandbox: RunningSandbox) -> None:
    first = create_twilio(tenant, sandbox, priority=1)
    second = create_twilio(tenant, sandbox, priority=2)
    sandbox.fault(sid(first), status=503)
    id = create_delivery(tenant)
    for _ in range(4):
        ProviderAccount.objects.update(health=1.0)  # the breaker is another test's
        send(tenant, id)
    assert state(id) == ("queued", "next_account")
    send(tenant, id)
    assert state(id) == ("sent", "")
    made = attempts(id)
    assert [attempt.account_id for attempt in made] == [first.pk] * 4 + [second.pk]
    assert made[3].next_step == "retries spent: next account"
    assert made[4].chosen_because == "priority 2, 1 given up on"


def test_it_leaves_a_failing_account_before_its_retries_are_spent(
    tenant: Tenant, sandbox: RunningSandbox
) -> None:
    first = create_twilio(tenant, sandbox, priority=1)
    second = create_twilio(tenant, sandbox, priority=2)
    sandbox.fault(sid(first), status=503)
    id = create_delivery(tenant)
    for _ in range(3):
        send(tenant, id)
    assert [attempt.account_id for attempt in attempts(id)] == [first.pk, first.pk, second.pk]
    assert attempts(id)[2].chosen_because == "priority 2, 1 resting after failures"
    row = ProviderAccount.objects.get(pk=first.pk)
    assert row.health < 0.1
    assert row.health_reason == "1 of 1 failed, the last: HTTP 503"


def test_a_429_uses_no_try_and_waits_as_long_as_it_says(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=429, retry_after=30, times=5)
    id = create_delivery(tenant)
    for _ in range(5):
        send(tenant, id)
        assert state(id) == ("queued", "rate_limited")
        assert 20 < seconds_until_due(id) < 38
    assert look(id).tries == 0
    assert ProviderAccount.objects.get(pk=account.pk).health == 1.0
    send(tenant, id)
    assert outcomes(id) == [("rate_limited", "429")] * 5 + [("sent", "")]


def test_a_refused_number_goes_on_to_email_and_is_suppressed(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    id = create_delivery(tenant, INCAPABLE, EMAIL)
    send(tenant, id)
    assert state(id) == ("queued", "next_route")
    row = look(id)
    assert (row.channel, row.address, row.route) == (*EMAIL, 1)
    send(tenant, id)
    assert state(id) == ("sent", "")
    assert [message["to"] for message in sandbox.messages()] == [EMAIL[1]]
    assert [(a.channel, a.route, a.outcome, a.code) for a in attempts(id)] == [
        ("sms", 0, "address", "21614"),
        ("email", 1, "sent", ""),
    ]
    assert among(tenant.pk, [INCAPABLE]) == {INCAPABLE: "invalid"}
    entry = Suppression.objects.get()
    assert (entry.source, entry.reference, entry.mask) == ("attempt", str(id), "+1•••••0009")


def test_a_refused_number_without_another_route_is_a_dead_letter(
    tenant: Tenant, sandbox: RunningSandbox
) -> None:
    create_twilio(tenant, sandbox)
    id = create_delivery(tenant, INCAPABLE)
    send(tenant, id)
    assert state(id) == ("failed", "address_refused")
    assert look(id).detail == "21614: not a mobile number"


def test_what_a_vendor_says_is_kept_without_the_address(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    id = create_delivery(tenant, ("email", "bounce@simulator.carillon.test"))
    send(tenant, id)
    told = look(id).detail + attempts(id)[0].detail
    assert told
    assert "bounce@simulator.carillon.test" not in told


def test_an_account_that_is_refused_makes_way_for_the_next(tenant: Tenant, sandbox: RunningSandbox) -> None:
    first = create_twilio(tenant, sandbox, priority=1)
    create_twilio(tenant, sandbox, priority=2)
    sandbox.fault(sid(first), status=401)
    id = create_delivery(tenant)
    send(tenant, id)
    assert state(id) == ("queued", "next_account")
    send(tenant, id)
    assert outcomes(id) == [("account", "20003"), ("sent", "")]


def test_it_waits_for_its_only_account_to_be_mended(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=401, times=1)
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    assert state(id) == ("queued", "account_down")
    assert 20 < seconds_until_due(id) < 38
    ProviderAccount.objects.update(health=1.0)  # its operator mends it
    assert intervening.unpark("sms", create_tenant().pk) == 0
    assert intervening.unpark("sms", tenant.pk) == 1
    dispatch.run(tenant.pk, [id])
    assert outcomes(id) == [("account", "20003"), ("sent", "")]


def test_it_does_not_wait_for_ever(tenant: Tenant, sandbox: RunningSandbox, settings: Settings) -> None:
    settings.NOTIFICATION_PARK_HOURS = 0
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=401)
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    assert state(id) == ("failed", "account_refused")


def test_it_does_not_wait_past_its_deadline(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=401)
    id = create_delivery(tenant, deadline=timezone.now() + dt.timedelta(seconds=20))
    dispatch.run(tenant.pk, [id])
    assert state(id) == ("expired", "expired")


def test_it_waits_while_every_account_rests(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox, health=0.05)
    id = create_delivery(tenant)
    send(tenant, id)
    assert state(id) == ("queued", "accounts_resting")
    assert 10 < seconds_until_due(id) <= 15
    row = look(id)
    assert (row.attempt, row.tries, attempts(id)) == (0, 0, [])
    ProviderAccount.objects.filter(pk=account.pk).update(health=0.2)
    send(tenant, id)
    assert state(id) == ("sent", "")


def test_it_does_not_wait_for_an_account_when_another_route_is_open(
    tenant: Tenant, sandbox: RunningSandbox
) -> None:
    create_twilio(tenant, sandbox, health=0.0)
    create_smtp(tenant, sandbox)
    id = create_delivery(tenant, SMS, EMAIL)
    send(tenant, id)
    send(tenant, id)
    assert [message["channel"] for message in sandbox.messages()] == ["email"]


def test_it_does_not_wait_for_an_account_past_the_deadline(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, health=0.0)
    id = create_delivery(tenant, deadline=timezone.now() + dt.timedelta(seconds=10))
    send(tenant, id)
    assert state(id) == ("expired", "expired")


@pytest.mark.parametrize("routes", [(SMS,), (SMS, EMAIL)])
def test_it_never_sends_after_the_deadline(
    tenant: Tenant, sandbox: RunningSandbox, routes: tuple[tuple[str, str], ...]
) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    id = create_delivery(tenant, *routes, deadline=timezone.now() - dt.timedelta(seconds=1))
    send(tenant, id)
    assert state(id) == ("expired", "expired")
    assert (sandbox.messages(), attempts(id)) == ([], [])


@pytest.mark.parametrize(
    ("policy", "status", "reason"),
    [
        ("resend", "queued", "retrying"),
        ("wait", "sent", "awaiting_receipt"),
        ("stop", "failed", "outcome_unknown"),
    ],
)
def test_no_answer_in_time_is_unknown_and_goes_by_policy(
    tenant: Tenant, sandbox: RunningSandbox, settings: Settings, policy: str, status: str, reason: str
) -> None:
    settings.NOTIFICATION_SEND_TIMEOUT = 0.2
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), accept_then_timeout=True, times=1)
    id = create_delivery(tenant, unknown_policy=policy)
    send(tenant, id)
    assert state(id) == (status, reason)
    assert outcomes(id) == [("unknown", "timeout")]
    send(tenant, id)
    assert len(sandbox.messages()) == (2 if policy == "resend" else 1)


def test_a_resend_does_not_wait(tenant: Tenant, sandbox: RunningSandbox, settings: Settings) -> None:
    settings.NOTIFICATION_SEND_TIMEOUT = 0.2
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), accept_then_timeout=True, times=1)
    id = create_delivery(tenant)
    send(tenant, id)
    dispatch.run(tenant.pk, [id])
    assert state(id) == ("sent", "")


def test_what_cannot_be_rendered_takes_the_next_route(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    version = create_published(tenant)  # it has words for SMS only
    id = create_delivery(
        tenant, EMAIL, SMS, template_version_id=version.pk, payload={"data": {"name": "Ann"}}
    )
    send(tenant, id)
    assert (*state(id), look(id).detail) == (
        "queued",
        "next_route",
        "The template has nothing for email.",
    )
    send(tenant, id)
    assert [message["text"] for message in sandbox.messages()] == ["Hi Ann"]


def test_overrides_that_the_data_spoil_cannot_be_rendered(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    source = {"subject": "Hi", "body": "Hi", "overrides": '{"tags": {{ tags }}}'}
    version = create_published(tenant, Draft("email", "en", source), sample_data={"tags": ["order"]})
    data = {"template_version_id": version.pk, "payload": {"data": {"tags": "none"}}}
    id = create_delivery(tenant, EMAIL, **data)
    send(tenant, id)
    assert state(id) == ("failed", "invalid_overrides")


def test_the_requests_overrides_go_before_the_templates(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    source = {"subject": "Hi", "body": "Hi", "overrides": '{"reply_to": ["a@x.example"], "cc": [{{ cc }}]}'}
    version = create_published(tenant, Draft("email", "en", source), sample_data={"cc": "c@x.example"})
    payload = {"data": {"cc": "d@x.example"}, "overrides": {"email": {"reply_to": ["b@x.example"]}}}
    send(tenant, create_delivery(tenant, EMAIL, template_version_id=version.pk, payload=payload))
    headers = sandbox.messages()[0]["headers"]
    assert (headers["Reply-To"], headers["Cc"]) == ("b@x.example", "d@x.example")


def test_what_cannot_be_rendered_fails_with_its_code(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    version = create_published(tenant)
    good, bad = (
        create_delivery(tenant, template_version_id=version.pk, payload={"data": data})
        for data in ({"name": "Ann"}, {})
    )
    send(tenant, good, bad)
    assert state(good) == ("sent", "")
    assert state(bad) == ("failed", "missing_variable")
    assert attempts(bad) == []


def test_a_receiver_that_fails_takes_no_health_from_the_account(tenant: Tenant, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    secret = "whsec_" + b64encode(b"a secret of twenty-four+").decode()
    account = create_account(tenant, "webhook", "standard_webhook", {"secrets": secret})
    for _ in range(5):  # nobody listens there
        id = create_delivery(tenant, ("webhook", f"http://127.0.0.1:{free_port()}/hook"))
        send(tenant, id)
        assert outcomes(id) == [("transient", "connection_refused")]
    assert ProviderAccount.objects.get(pk=account.pk).health == 1.0


def test_without_an_account_it_is_a_dead_letter(tenant: Tenant) -> None:
    id = create_delivery(tenant)
    send(tenant, id)
    assert (*state(id), look(id).detail) == ("failed", "no_account", "no account for this channel")


def test_a_delivery_that_cannot_be_prepared_ends_alone(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    bad = create_delivery(tenant, payload={"content": {"colour": "red"}})
    good = create_deliveries(tenant, 3)
    send(tenant, bad, *good)
    assert state(bad) == ("failed", "defect")
    assert [state(id) for id in good] == [("sent", "")] * 3


@pytest.mark.parametrize("what", ["secrets", "provider"])
def test_a_misconfigured_account_makes_way_for_the_next(
    tenant: Tenant, sandbox: RunningSandbox, what: str
) -> None:
    first = create_twilio(tenant, sandbox, priority=1)
    create_twilio(tenant, sandbox, priority=2)
    broken: Any = {"secrets": b"x" * 40, "provider": "gone"}[what]
    ProviderAccount.objects.filter(pk=first.pk).update(**{what: broken})
    id = create_delivery(tenant)
    send(tenant, id)
    send(tenant, id)
    assert outcomes(id) == [("account", "misconfigured"), ("sent", "")]


def test_news_is_told_once_a_chunk_inside_the_transaction(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    heard: list[tuple[UUID, list[Change], set[str]]] = []

    def hear(tenant_id: UUID, changes: list[Change], **kwargs: Any) -> None:
        stored = Delivery.objects.filter(pk__in=[change.delivery_id for change in changes])
        heard.append((tenant_id, changes, set(stored.values_list("status", flat=True))))

    deliveries_changed.connect(hear)
    try:
        ids = create_deliveries(tenant, 4)
        send(tenant, *ids)
    finally:
        deliveries_changed.disconnect(hear)
    ((tenant_id, changes, stored),) = heard
    assert tenant_id == tenant.pk
    assert {change.delivery_id for change in changes} == set(ids)
    assert {(change.status, change.channel) for change in changes} == {("sent", "sms")}
    assert stored == {"sent"}


def test_no_news_is_told_of_what_still_waits(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    sandbox.fault(sid(account), status=503)
    heard: list[Any] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs)

    deliveries_changed.connect(hear)
    try:
        send(tenant, create_delivery(tenant))
    finally:
        deliveries_changed.disconnect(hear)
    assert heard == []


def test_an_installations_account_serves_two_tenants(sandbox: RunningSandbox) -> None:
    create_twilio(None, sandbox)
    for tenant in (create_tenant(), create_tenant()):
        id = create_delivery(tenant)
        send(tenant, id)
        assert state(id) == ("sent", "")
