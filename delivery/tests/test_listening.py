"""Accounts that do not send hear nevertheless: real binds, and the word of who has them in Valkey."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from redis import Redis

from delivery import listening, receipts
from delivery.accounts import set_settings
from delivery.models import ProviderAccount, Reply
from delivery.providers.smpp import link, links
from delivery.rates import pool
from delivery.tests.factories import create_account, create_twilio
from delivery.tests.smsc import DEADLINE_S, RunningSmsc, running_smsc
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.outages import nowhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _unbind() -> Iterator[None]:
    yield
    links.close()
    pool.cache_clear()


@pytest.fixture
def smsc() -> Iterator[RunningSmsc]:
    with running_smsc() as smsc:
        yield smsc


def create(tenant: Tenant | None, smsc: RunningSmsc, **over: Any) -> ProviderAccount:
    return create_account(tenant, "sms", "smpp", login(smsc), **over)


def login(smsc: RunningSmsc, **over: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": smsc.port, "system_id": "shop", "password": "open-sesame", **over}


def keep() -> int:
    """As beat has it done, in one process or another."""
    return listening.keep(receipts.report)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


def is_bound(smsc: RunningSmsc, times: int = 1) -> bool:
    return len(smsc.smsc.subscriber("shop").receivers) == times


def word(account: ProviderAccount) -> int:
    """Seconds for which somebody's word for the account still holds; below 0 when there is none."""
    left: Any = Redis(connection_pool=pool()).ttl(listening._key(account))
    return int(left)


def forget(account: ProviderAccount) -> None:
    """Whoever spoke for it died long enough ago."""
    Redis(connection_pool=pool()).delete(listening._key(account))


def test_it_works(tenant: Tenant, smsc: RunningSmsc) -> None:
    account = create(tenant, smsc)
    assert keep() == 1
    smsc.deliver("shop", "15005550010", "12345", b"Hello?", source_addr_ton=1)
    until(Reply.objects.exists)
    reply = Reply.objects.get()
    assert (reply.account_id, reply.sender, reply.text) == (account.pk, "+15005550010", "Hello?")


def test_one_process_is_enough(tenant: Tenant, smsc: RunningSmsc) -> None:
    account = create(tenant, smsc)
    assert [keep(), keep()] == [1, 0]
    until(lambda: is_bound(smsc))
    assert 60 < word(account) <= 75
    assert smsc.office.logins == ["shop"]


def test_another_takes_over_from_one_that_died(tenant: Tenant, smsc: RunningSmsc) -> None:
    account = create(tenant, smsc)
    keep()
    links.close()
    assert keep() == 0
    forget(account)
    assert keep() == 1
    until(lambda: is_bound(smsc))


def test_who_has_a_bind_says_so_while_it_lives(
    tenant: Tenant, smsc: RunningSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.02)
    account = create(tenant, smsc)
    keep()
    forget(account)
    until(lambda: word(account) > 0)
    assert keep() == 0


def test_an_account_that_was_changed_is_bound_anew(
    tenant: Tenant, smsc: RunningSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.02)
    account = create(tenant, smsc)
    keep()
    until(lambda: is_bound(smsc))
    set_settings(account, login(smsc, system_type="VMA"))
    account.save()
    assert keep() == 1
    until(lambda: smsc.office.logins == ["shop", "shop"] and is_bound(smsc))


def test_every_account_has_one(tenant: Tenant, smsc: RunningSmsc) -> None:
    create(tenant, smsc)
    create(None, smsc)
    assert keep() == 2
    until(lambda: is_bound(smsc, times=2))


def test_an_smsc_that_is_away_is_tried_until_it_is_back(tenant: Tenant) -> None:
    with running_smsc() as smsc:
        create(tenant, smsc)
        port = smsc.port
    assert keep() == 1
    with running_smsc(port=port) as smsc:
        until(lambda: is_bound(smsc))


def test_what_has_nothing_to_hear_is_left_alone(
    tenant: Tenant, smsc: RunningSmsc, sandbox: RunningSandbox
) -> None:
    create(tenant, smsc, is_enabled=False)
    create_twilio(tenant, sandbox)
    create_account(tenant, "sms", "smpp", login(smsc, bind="transmitter"))
    broken = create(tenant, smsc)
    ProviderAccount.objects.filter(pk=broken.pk).update(secrets=b"x" * 40)
    assert keep() == 0
    assert links._links is None


def test_without_valkey_nothing_changes(tenant: Tenant, smsc: RunningSmsc, settings: Settings) -> None:
    account = create(tenant, smsc)
    settings.REDIS_URL = nowhere()
    pool.cache_clear()
    assert keep() == 0
    receipts.report(account, [])
    connection.close()
