"""What has to wait: from the request through the night to the release, and what changes it on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from delivery import dispatch, queue
from delivery.escalation import escalate_due
from delivery.models import Delivery
from delivery.tests.factories import create_smtp, create_twilio, make_due
from notifications import planning
from notifications.cancellation import cancel
from notifications.ledger import ledger
from notifications.tests.calls import NOTIFICATIONS, a_notification, a_template, look, send
from preferences import blocks, changes
from preferences.directory import opt_out
from preferences.models import Category, Recipient
from sandbox.testing import RunningSandbox
from tenants.authentication import mint_recipient_token
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import Api, api

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
OWN = "/api/v1/users/me/preferences"


@pytest.fixture(autouse=True)
def accounts(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    sandbox.fault("twilio", receipt="none")


@pytest.fixture
def ann(tenant: Tenant) -> Api:
    return api(mint_recipient_token(tenant, "ann", "user")[0])


def hours(*, until: float, since: float = -1) -> dict[str, Any]:
    """Quiet hours, in UTC, that began an hour ago and last for so many hours more."""
    now = timezone.now()
    start, end = (f"{now + dt.timedelta(hours=h):%H:%M}" for h in (since, until))
    return {"start": start, "end": end, "timezone": "UTC"}


def sleep(ann: Api, *, until: float = 3, **more: Any) -> None:
    answer = ann.patch(OWN, {"quiet_hours": {**hours(until=until), **more}})
    assert answer.status_code == 200, answer.json()


def wake(ann: Api) -> None:
    assert ann.patch(OWN, {"quiet_hours": None}).status_code == 200


def sweep(drain: Drain) -> None:
    """What the clock does each second."""
    queue.release_due(now=timezone.now())
    drain()


def only(service: Api, id: str) -> Any:
    (delivery,) = look(service, id)["deliveries"]
    return delivery


def steps(service: Api, id: str, *names: str) -> list[tuple[str, str]]:
    """What was decided, and why."""
    trace = look(service, id)["trace"]
    return [(s["decision"], s["reason"]) for s in trace if s["step"] in (names or ("plan", "decide"))]


def balanced(tenant: Tenant) -> bool:
    return ledger(tenant.pk).balanced


def test_it_works(tenant: Tenant, service: Api, ann: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    Tenant.objects.update(release_spread=600)
    sleep(ann)
    before = timezone.now().replace(second=0, microsecond=0)
    explained = service.post(f"{NOTIFICATIONS}/explain", a_notification(channels=["sms", "in_app"])).json()
    id = send(service, channels=["sms", "in_app"])["id"]
    drain()
    told = look(service, id)
    held, shown = sorted(told["deliveries"], key=lambda leg: leg["channel"], reverse=True)
    assert (held["status"], held["reason"], shown["status"]) == ("deferred", "quiet_hours", "sent")
    until = dt.datetime.fromisoformat(held["held_until"])
    opens_at = before + dt.timedelta(hours=3)
    assert opens_at <= until < opens_at + dt.timedelta(seconds=600)
    assert [leg["held"] for leg in explained["deliveries"]] == [
        {"reason": "quiet_hours", "until": held["held_until"]},
        None,
    ]
    (step,) = [step for step in told["trace"] if step["decision"] == "hold"]
    assert (step["channel"], step["reason"], step["until"]) == ("sms", "quiet_hours", held["held_until"])
    assert sandbox.messages() == []
    assert balanced(tenant)
    wake(ann)
    sweep(drain)
    assert {leg["status"] for leg in look(service, id)["deliveries"]} == {"sent"}
    assert [message["channel"] for message in sandbox.messages()] == ["sms"]
    assert balanced(tenant)


def test_it_leaves_when_its_time_has_come(
    service: Api, ann: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    sleep(ann)
    id = send(service, channels=["sms"])["id"]
    drain()
    sweep(drain)
    assert sandbox.messages() == []
    Recipient.objects.update(quiet_hours={**hours(since=-3, until=-1), "enabled": True})
    make_due(UUID(only(service, id)["id"]))
    sweep(drain)
    assert (only(service, id)["status"], len(sandbox.messages())) == ("sent", 1)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"priority": "urgent"}, "sent"),
        ({"category": "alert"}, "sent"),  # critical
        ({"priority": "high"}, "deferred"),
        ({"channels": ["in_app"]}, "sent"),
    ],
)
def test_what_passes(service: Api, ann: Api, drain: Drain, said: dict[str, Any], sent: str) -> None:
    Category.objects.filter(code="alert").update(is_critical=True)
    sleep(ann)
    id = send(service, **{"channels": ["sms"], **said})["id"]
    drain()
    assert only(service, id)["status"] == sent


def test_nothing_passes_where_the_tenant_says_so(service: Api, ann: Api, drain: Drain) -> None:
    Category.objects.filter(code="alert").update(is_critical=True)
    Tenant.objects.update(
        quiet_lets_urgent_pass=False, quiet_lets_critical_pass=False, quiet_holds_in_app=True
    )
    sleep(ann)
    told = {"priority": "urgent", "category": "alert", "channels": ["sms", "in_app"]}
    id = send(service, **told)["id"]
    drain()
    assert [leg["status"] for leg in look(service, id)["deliveries"]] == ["deferred", "deferred"]


def test_do_not_disturb_holds_too(service: Api, ann: Api, drain: Drain) -> None:
    until = (timezone.now() + dt.timedelta(hours=2)).replace(microsecond=0)
    assert ann.patch(OWN, {"do_not_disturb_until": until.isoformat()}).status_code == 200
    Tenant.objects.update(release_spread=0)
    id = send(service, channels=["sms"])["id"]
    drain()
    held = only(service, id)
    assert (held["status"], held["reason"]) == ("deferred", "do_not_disturb")
    assert dt.datetime.fromisoformat(held["held_until"]) == until


def test_what_would_be_too_late_is_over_at_once(tenant: Tenant, service: Api, ann: Api, drain: Drain) -> None:
    sleep(ann)
    late = send(service, channels=["sms"], expires_in=3600)["id"]
    chain = send(service, channels=[["sms", "in_app"]], expires_in=3600)["id"]
    drain()
    told = look(service, late)
    assert (told["status"], told["reason"], told["deliveries"]) == ("expired", "quiet_hours", [])
    assert steps(service, late) == [("expire", "quiet_hours")]
    assert (only(service, chain)["channel"], only(service, chain)["status"]) == ("in_app", "sent")
    assert balanced(tenant)


def test_the_tenants_sending_hours_hold_a_category(service: Api, drain: Drain) -> None:
    Category.objects.filter(code="marketing").update(sending_hours=hours(since=2, until=4))
    id = send(service, channels=["sms"], category="marketing")["id"]
    other = send(service, channels=["sms"])["id"]
    drain()
    assert (only(service, id)["status"], only(service, id)["reason"]) == ("deferred", "sending_hours")
    assert only(service, other)["status"] == "sent"


@pytest.mark.parametrize(("until", "expected"), [(2, "earlier"), (5, "later")])
def test_quiet_hours_made_shorter_or_longer(
    service: Api, ann: Api, drain: Drain, until: float, expected: str
) -> None:
    sleep(ann, until=3)
    id = send(service, channels=["sms"])["id"]
    drain()
    before = only(service, id)["held_until"]
    sleep(ann, until=until)
    sweep(drain)
    after = only(service, id)
    assert (after["status"], after["held_until"] < before) == ("deferred", expected == "earlier")
    assert steps(service, id, "decide") == [("hold", "quiet_hours")]


def nobody(tenant: Tenant, ann: Api) -> None:
    with tenant_scope(tenant.pk):
        blocks.block_recipient(tenant, ("user", "ann"), "a debt")


def no_channel(tenant: Tenant, ann: Api) -> None:
    with tenant_scope(tenant.pk):
        blocks.block_channel(tenant, "sms", "no contract")


def no_category(tenant: Tenant, ann: Api) -> None:
    with tenant_scope(tenant.pk):
        blocks.block_category(tenant, "transactional", "a law")


def channel_off(tenant: Tenant, ann: Api) -> None:
    ann.put(f"{OWN}/channels/sms", {"enabled": False})


def template_off(tenant: Tenant, ann: Api) -> None:
    assert ann.patch(OWN, {"templates": {"greeting": {"sms": False}}}).status_code == 200


def default_off(tenant: Tenant, ann: Api) -> None:
    with tenant_scope(tenant.pk):
        Category.objects.update(defaults={"sms": False})
        changes.of_tenant(tenant.pk)


def gone(tenant: Tenant, ann: Api) -> None:
    Recipient.objects.all().delete()


@pytest.mark.parametrize(
    "change",
    [
        (nobody, "recipient_blocked"),
        (no_channel, "channel_blocked"),
        (no_category, "category_blocked"),
        (channel_off, "channel_off"),
        (template_off, "template_off"),
        (default_off, "default_off"),
        (gone, "recipient_unknown"),
    ],
)
@pytest.mark.parametrize("waits", ["queued", "deferred", "retrying"])
def test_a_change_takes_effect_on_what_is_waiting(
    tenant: Tenant,
    service: Api,
    ann: Api,
    sandbox: RunningSandbox,
    drain: Drain,
    change: tuple[Callable[[Tenant, Api], None], str],
    waits: str,
) -> None:
    do, reason = change
    a_template(tenant)
    if waits == "deferred":
        sleep(ann)
    elif waits == "retrying":
        sandbox.fault("twilio", status=503, times=1)
    said = {"content": None, "template": "greeting", "data": {"name": "Ann"}, "channels": ["sms"]}
    id = send(service, **said)["id"]
    if waits == "queued":
        planning.plan(tenant.pk, [UUID(id)])
    else:
        drain()
    assert only(service, id)["status"] == ("deferred" if waits == "deferred" else "queued")
    do(tenant, ann)
    if waits == "retrying" or reason == "recipient_unknown":  # its time has come
        make_due(UUID(only(service, id)["id"]))
    queue.release_due(now=timezone.now() + queue.PATIENCE)
    drain()
    told = look(service, id)
    assert (told["status"], told["reason"]) == ("suppressed", reason)
    assert steps(service, id, "decide") == [("skip", reason)]
    assert sandbox.messages(channel="sms") == []
    assert balanced(tenant)


def test_stop_is_heeded_by_what_was_planned_before_it(
    tenant: Tenant, service: Api, sandbox: RunningSandbox
) -> None:
    plain = send(service, channels=["sms"])["id"]
    chain = send(service, channels=[["sms", "email"]])["id"]
    planning.plan(tenant.pk, [UUID(plain), UUID(chain)])
    with tenant_scope(tenant.pk):
        opt_out([tenant.pk], ("sms", "+15005550006"))
    for _ in range(2):  # the second time for what went on
        dispatch.run(tenant.pk, list(Delivery.objects.values_list("pk", flat=True)))
    assert (look(service, plain)["status"], look(service, plain)["reason"]) == (
        "suppressed",
        "suppressed:unsubscribed",
    )
    assert (only(service, chain)["channel"], only(service, chain)["status"]) == ("email", "sent")
    assert steps(service, chain, "decide") == [("skip", "suppressed:unsubscribed"), ("deliver", "allowed")]
    assert [message["channel"] for message in sandbox.messages()] == ["email"]
    assert balanced(tenant)


def test_a_route_later_in_a_chain_waits_too(
    service: Api, ann: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    id = send(service, channels=[{"chain": ["in_app", "sms"], "within": 600}])["id"]
    drain()
    sleep(ann)
    Delivery.objects.filter(escalate_at__isnull=False).update(escalate_at=timezone.now())
    escalate_due(now=timezone.now())
    drain()
    first, second = look(service, id)["deliveries"]
    assert (first["status"], second["status"], second["reason"]) == ("sent", "deferred", "quiet_hours")
    assert look(service, id)["status"] == "sent"
    assert sandbox.messages() == []


def test_all_devices_wait_and_the_chain_goes_on_once(
    tenant: Tenant, service: Api, ann: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    for token in ("phone", "tablet"):
        assert service.post("/api/v1/services/recipients/ann/devices", {"token": token}).status_code == 201
    sleep(ann)
    id = send(service, channels=[["push", "sms"]])["id"]
    drain()
    assert [leg["status"] for leg in look(service, id)["deliveries"]] == ["deferred", "deferred"]
    ann.put(f"{OWN}/channels/push", {"enabled": False})
    wake(ann)
    sweep(drain)
    legs = look(service, id)["deliveries"]
    assert sorted((leg["channel"], leg["status"]) for leg in legs) == [
        ("push", "suppressed"),
        ("sms", "sent"),
    ]
    assert len(sandbox.messages()) == 1
    assert balanced(tenant)


def test_what_waits_can_be_canceled(tenant: Tenant, service: Api, ann: Api, drain: Drain) -> None:
    sleep(ann)
    id = send(service, channels=["sms"])["id"]
    drain()
    assert cancel(tenant.pk, UUID(id))
    assert (look(service, id)["status"], balanced(tenant)) == ("canceled", True)


def test_somebody_described_in_the_request_has_the_tenants_rules_only(service: Api, drain: Drain) -> None:
    Category.objects.filter(code="marketing").update(sending_hours=hours(since=2, until=4))
    stranger = {"phone": "+15005550006", "timezone": "Asia/Tokyo"}
    id = send(service, recipient=stranger, channels=["sms"], category="marketing")["id"]
    other = send(service, recipient=stranger, channels=["sms"])["id"]
    drain()
    assert (only(service, id)["status"], only(service, other)["status"]) == ("deferred", "sent")


@pytest.mark.parametrize("first", ["planner", "sleeper"])
def test_who_changes_while_it_is_planned_is_heeded(
    tenant: Tenant, service: Api, ann: Api, drain: Drain, first: str
) -> None:
    """Quiet hours end while a plan with them is being made: whoever is first, it does not wait for them."""
    sleep(ann)
    id = send(service, channels=["sms"])["id"]
    barrier, errors = Barrier(2), list[BaseException]()

    def planner() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
                if first == "planner":
                    planning.plan(tenant.pk, [UUID(id)])
                    barrier.wait()
                    _until_somebody_waits()
                else:
                    barrier.wait()
                    planning.plan(tenant.pk, [UUID(id)])
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=planner)
    thread.start()
    if first == "planner":
        barrier.wait()
        wake(ann)
    else:
        with tenant_scope(tenant.pk):
            wake(ann)
            barrier.wait()
            _until_somebody_waits()
    thread.join()
    assert not errors
    queue.release_due(now=timezone.now() + queue.PATIENCE)
    drain()
    assert only(service, id)["status"] == "sent"


def _until_somebody_waits() -> None:
    """For a lock that this transaction holds."""
    deadline = timezone.now() + dt.timedelta(seconds=10)
    while timezone.now() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")
