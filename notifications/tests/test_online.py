"""`if`: who has the live feed open in any web process is told there, and elsewhere only who has not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from delivery.escalation import escalate_due
from delivery.models import Delivery
from delivery.tests.factories import create_twilio
from delivery.tests.push import create_fcm
from notifications import release
from notifications.realtime.presence import LIFETIME
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from notifications.tests.web import open_tab, wait_until, web_process
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.authentication import mint_recipient_token
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key
from tenants.tests.outages import nowhere

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
UNLESS_ONLINE = ["in_app", {"channel": "push", "if": "offline"}]
FEED_OR_PUSH = [{"chain": [{"channel": "in_app", "if": "online"}, "push"]}]


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    with web_process(tmp_path_factory.mktemp("web") / "log") as address:
        yield address


@pytest.fixture(autouse=True)
def accounts(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_fcm(tenant, sandbox)
    create_twilio(tenant, sandbox)
    create_recipient(tenant, external_id="bob", devices=["bobs"], phone="+15005550006")
    Recipient.objects.get(external_id="ann").devices.create(token="anns", tenant=tenant)


def presence(service: Api, name: str) -> Any:
    answer = service.get(f"/api/v1/services/recipients/{name}/presence")
    assert answer.status_code == 200, answer.json()
    return answer.json()


def open_tabs(stack: ExitStack, tenant: Tenant, service: Api, *webs: str) -> None:
    """Ann's, one in each, and known."""
    token, _ = mint_recipient_token(tenant, "ann", "user")
    for web in webs:
        assert stack.enter_context(open_tab(web, token)).next()["type"] == "connected"
    wait_until(lambda: presence(service, "ann")["sockets"] == len(webs), "ann is online")


def told(service: Api, id: str, step: str = "plan") -> dict[str, tuple[str, str]]:
    trace = [said for said in look(service, id)["trace"] if said["step"] == step]
    return {said["channel"]: (said["decision"], said["reason"]) for said in trace}


def pushed(sandbox: RunningSandbox) -> list[str]:
    return [message["to"] for message in sandbox.messages() if message["channel"] == "push"]


def test_who_has_a_tab_gets_no_push(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, web: str
) -> None:
    with ExitStack() as stack:
        open_tabs(stack, tenant, service, web, web)
        ann, bob = presence(service, "ann"), presence(service, "bob")
        assert (ann["online"], ann["sockets"], bob["online"], bob["sockets"]) == (True, 2, False, 0)
        assert ann["since"] <= ann["last_seen_at"]
        assert bob["since"] is None
        for channels in (UNLESS_ONLINE, FEED_OR_PUSH):
            sandbox.clear()
            anns, bobs = (send(service, recipient=name, channels=channels)["id"] for name in ("ann", "bob"))
            drain()
            assert pushed(sandbox) == ["bobs"]
            assert [d["channel"] for d in look(service, anns)["deliveries"]] == ["in_app"]
            assert look(service, bobs)["status"] == "sent"
    wait_until(lambda: not presence(service, "ann")["online"], "ann's tabs are closed")
    assert presence(service, "ann")["last_seen_at"] is not None


def test_the_trace_says_why(tenant: Tenant, service: Api, drain: Drain, web: str) -> None:
    with ExitStack() as stack:
        open_tabs(stack, tenant, service, web)
        since = presence(service, "ann")["since"]
        explained = service.post(f"{NOTIFICATIONS}/explain", a_notification(channels=UNLESS_ONLINE)).json()
        (step,) = [step for step in explained["decisions"] if step["channel"] == "push"]
        assert (step["decision"], step["reason"]) == ("skip", "recipient_online")
        assert step["since"][:23] == since[:23]
        id = send(service, channels=FEED_OR_PUSH)["id"]
        drain()
        assert told(service, id) == {
            "in_app": ("deliver", "recipient_online"),
            "push": ("deliver", "allowed"),
        }
        only = send(service, channels=[{"channel": "push", "if": "offline"}])["id"]
        drain()
        assert look(service, only)["reason"] == "recipient_online"
    id = send(service, recipient="bob", channels=FEED_OR_PUSH)["id"]
    drain()
    assert told(service, id) == {"in_app": ("skip", "recipient_offline"), "push": ("deliver", "allowed")}


def test_a_later_channel_is_asked_when_its_turn_comes(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, web: str
) -> None:
    chain = [{"chain": ["in_app", {"channel": "sms", "if": "offline"}], "within": 600}]
    with ExitStack() as stack:
        open_tabs(stack, tenant, service, web)
        anns, bobs = (send(service, recipient=name, channels=chain)["id"] for name in ("ann", "bob"))
        drain()
        assert told(service, bobs)["sms"] == ("deliver", "if_offline")
        Delivery.objects.filter(escalate_at__isnull=False).update(escalate_at=timezone.now())
        assert escalate_due(now=timezone.now()) == 2
        drain()
    assert [message["channel"] for message in sandbox.messages()] == ["sms"]
    states = {d["channel"]: (d["status"], d["reason"]) for d in look(service, anns)["deliveries"]}
    assert states["sms"] == ("suppressed", "recipient_online")
    assert told(service, anns, "decide")["sms"] == ("skip", "recipient_online")
    assert look(service, anns)["status"] == "sent"


def test_who_comes_before_it_leaves_is_heeded(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, web: str
) -> None:
    id = send(service, channels=UNLESS_ONLINE)["id"]
    release.plan_waiting()
    with ExitStack() as stack:
        open_tabs(stack, tenant, service, web)
        drain()
    assert pushed(sandbox) == []
    assert told(service, id)["push"] == ("deliver", "recipient_offline")
    assert told(service, id, "decide")["push"] == ("skip", "recipient_online")


def test_without_valkey_they_count_as_offline(
    service: Api, sandbox: RunningSandbox, drain: Drain, settings: Settings
) -> None:
    settings.REDIS_URL = nowhere()
    ids = [send(service, channels=channels)["id"] for channels in (UNLESS_ONLINE, FEED_OR_PUSH)]
    drain()
    assert pushed(sandbox) == ["anns", "anns"]
    assert [told(service, id)["push"] for id in ids] == [
        ("deliver", "presence_unknown"),
        ("deliver", "allowed"),
    ]
    assert told(service, ids[1])["in_app"] == ("skip", "presence_unknown")
    assert service.get("/api/v1/services/recipients/ann/presence").status_code == 503


TWICE = ["push", "sms", {"channel": "push", "if": "offline"}]


@pytest.mark.parametrize(
    ("entry", "code", "pointer"),
    [
        ({"channel": "push"}, "missing", "/channels/0/if"),
        ({"channel": "push", "if": "away"}, "literal_error", "/channels/0/if"),
        ({"channel": "pusch", "if": "online"}, "unknown_channel", "/channels/0/channel"),
        ({"chain": ["sms"], "if": "online"}, "unknown_field", "/channels/0/if"),
        ([{"channel": "sms", "unless": "online"}], "missing", "/channels/0/0/if"),
        (
            {"chain": ["in_app", {"channel": "fax", "if": "online"}]},
            "unknown_channel",
            "/channels/0/chain/1/channel",
        ),
        (TWICE, "channel_named_twice", "/channels/0/2/channel"),
    ],
)
def test_it_points_at_what_is_wrong(service: Api, entry: Any, code: str, pointer: str) -> None:
    answer = service.post(f"{NOTIFICATIONS}/send", a_notification(channels=[entry]))
    assert answer.status_code in (400, 422)
    assert (code, pointer) in {(error["code"], error["pointer"]) for error in answer.json()["errors"]}


def test_presence_is_for_who_may_read_of_whom_there_is(tenant: Tenant, service: Api) -> None:
    writer = api(create_api_key(tenant, ["recipients:write"]))
    assert writer.get("/api/v1/services/recipients/ann/presence").status_code == 403
    assert service.get("/api/v1/services/recipients/eve/presence").status_code == 404


def test_operators_see_it(tenant: Tenant, service: Api, admin_client: Client, web: str) -> None:
    ann = Recipient.objects.get(external_id="ann")
    page = f"/admin/preferences/recipient/{ann.pk}/change/"
    assert "Offline; not seen for a week" in admin_client.get(page).content.decode()
    with ExitStack() as stack:
        open_tabs(stack, tenant, service, web, web)
        assert "Online: 2 sockets of the live feed since" in admin_client.get(page).content.decode()
        wait_until(lambda: b"carillon_sockets{" in Client().get("/metrics").content, "it is in the metrics")


@pytest.mark.chaos
def test_processes_are_counted_together_healed_and_forgotten(
    tenant: Tenant, service: Api, web: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        doomed = stack.enter_context(web_process(tmp_path / "log"))
        open_tabs(stack, tenant, service, web, doomed, doomed)
        redis.Redis.from_url(settings.REDIS_URL).flushall()
        wait_until(lambda: presence(service, "ann")["sockets"] == 3, "the flush is healed")
        port = doomed.partition(":")[2]
        (process,) = (one for one in psutil.Process().children() if port in one.cmdline())
        process.kill()
        killed = timezone.now()
        wait_until(lambda: presence(service, "ann")["sockets"] == 1, "it is forgotten")
        assert (timezone.now() - killed).total_seconds() < LIFETIME + 2
