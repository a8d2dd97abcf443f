"""Each provider through weather: faults of every kind in its vendor, receipts that come twice.

`SOAK=5000 bin/test --chaos delivery/tests/test_soak.py` for a long one.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from config import sandboxed
from config.embedded.valkey import free_port
from delivery import dispatch, queue, receipts, recovery
from delivery.models import Attempt, Delivery, ProviderAccount, Receipt
from delivery.providers.closing import close_all
from delivery.queue import NewDelivery
from delivery.tests.factories import create_account
from notifications.tests.web import web_process
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

N = int(os.environ.get("SOAK", "500"))
CHUNK = 100
PATIENCE, QUIET = 60.0, 1.0
DONE = {"sent", "delivered", "failed"}

# Each strikes a fifth of the requests while it lasts, and lasts a fifth of the time or less: 4 % of all.
WEATHER: tuple[Mapping[str, Any], ...] = (
    {"status": 503, "error_rate": 0.2},
    {"status": 429, "retry_after": 1, "error_rate": 0.2},
    {"accept_then_timeout": True, "error_rate": 0.2},
    {"reject": True, "error_rate": 0.2},
    {"latency_ms": 20, "duplicate_receipts": 2},
)


@pytest.fixture(scope="session")
def web_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="session")
def web(web_logs: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A real web process, which takes the receipts of all; its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with web_process(web_logs / "web.log", port, PUBLIC_URL=url):
        yield url


@pytest.fixture
def _vendor(sandbox: RunningSandbox, settings: Settings, web: str) -> Iterator[None]:
    """The sandbox, which posts its receipts to the web process."""
    settings.SANDBOX_URL, settings.PUBLIC_URL = sandbox.http_url, web
    settings.SANDBOX_SMTP_PORT, settings.SANDBOX_SMPP_PORT = sandbox.smtp_port, sandbox.ports["smpp"]
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.NOTIFICATION_SEND_TIMEOUT = 0.5
    yield
    close_all()
    all_told()
    sandbox.clear()


@pytest.mark.usefixtures("_vendor")
@pytest.mark.parametrize(("channel", "provider"), sorted(sandboxed.SETTINGS))
def test_it_works(channel: str, provider: str, sandbox: RunningSandbox, told: Callable[[str], None]) -> None:
    tenant = create_tenant()
    create_account(tenant, channel, provider, dict(sandboxed.settings_of(channel, provider, "soak")))
    ids = accepted(tenant, channel, provider)
    began = time.monotonic()
    go_out(tenant, ids, sandbox, provider)
    seconds = time.monotonic() - began
    rows = {row.pk: row for row in Delivery.objects.filter(pk__in=ids)}
    unknown = Counter(Attempt.objects.filter(outcome="unknown").values_list("delivery_id", flat=True))
    came = arrived(sandbox, ids)

    assert {row.status for row in rows.values()} <= DONE, "all of them ended"
    lost = [id for id, row in rows.items() if row.status != "failed" and not came[id]]
    assert not lost, "none was lost"
    unexplained = {id: count for id, count in came.items() if count > 1 + unknown[id]}
    assert not unexplained, "none came twice that is not known to have been in doubt"
    refused = sum(row.status == "failed" for row in rows.values())
    told(
        f"{channel} by {provider}: {N} in {seconds:.1f} s, {refused} refused, "
        f"{sum(unknown.values())} unknown attempts, {sum(came.values()) - len(came)} twice"
    )


def accepted(tenant: Tenant, channel: str, provider: str) -> list[UUID]:
    made = [_delivery(channel, sandboxed.address(channel, provider, number)) for number in range(N)]
    with tenant_scope(tenant.pk):
        queue.enqueue(tenant.pk, made, now=timezone.now())
    return [delivery.id for delivery in made]


def _delivery(channel: str, address: str) -> NewDelivery:
    """By WhatsApp it names a template, since nobody has written."""
    id = new_id()
    words = f"soak {id} soak"
    template = {"name": "order_ready", "language": "en", "parameters": [words]}
    return NewDelivery(
        id=id,
        notification_id=new_id(),
        recipient_id=None,
        category="transactional",
        priority=6,
        routes=[(channel, address)],
        template_version_id=None,
        locale="en",
        payload={
            "content": {"subject": "Soaked", "body": words},
            "overrides": {"whatsapp": {"template": template}},
        },
        is_test=False,
        unknown_policy="resend",
        deadline=None,
    )


def go_out(tenant: Tenant, ids: list[UUID], sandbox: RunningSandbox, provider: str) -> None:
    """Chunk by chunk, under changing weather, until nothing waits; the last ones under a clear sky."""
    weather = itertools.cycle(WEATHER)
    deadline = time.monotonic() + PATIENCE + N / 20
    for turn in itertools.count():
        waiting = list(
            Delivery.objects.filter(pk__in=ids).exclude(status__in=DONE).values_list("pk", flat=True)
        )
        if not waiting:
            break
        assert time.monotonic() < deadline, f"{len(waiting)} still wait"
        sandbox.fault(provider, **(next(weather) if turn < 3 * N / CHUNK else {}))
        _clear_the_way(tenant)
        dispatch.run(tenant.pk, waiting[:CHUNK])
        receipts.adopt()
    recovery.recover_expired()


def _clear_the_way(tenant: Tenant) -> None:
    """Nobody waits for a retry's time or an account's rest: what is soaked is the sending."""
    now = timezone.now()
    Delivery.objects.filter(tenant=tenant, status="queued").update(due_at=now, ring_at=now)
    ProviderAccount.objects.filter(tenant=tenant).update(health=1.0)


def arrived(sandbox: RunningSandbox, ids: list[UUID]) -> Counter[UUID]:
    """How often each came, by the id in its words."""
    wanted = {str(id): id for id in ids}
    words = (str(message["text"]).partition("soak ")[2] for message in sandbox.messages())
    found = (wanted.get(said.partition(" ")[0]) for said in words)
    return Counter(id for id in found if id is not None)


def all_told() -> None:
    """Wait for the last receipts: they come a little after their messages, and again after that."""
    heard, since = -1, time.monotonic()
    while time.monotonic() < since + QUIET:
        if (now := Receipt.objects.count()) != heard:
            heard, since = now, time.monotonic()
        time.sleep(0.05)
