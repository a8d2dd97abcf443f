"""How an account did in the last hour, as it stands in Valkey."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from delivery import dispatch, rates, vitals
from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.routing import Account, Choice
from delivery.settlement import Call
from delivery.tests.factories import create_deliveries, create_twilio
from delivery.vitals import Vitals
from sandbox.testing import RunningSandbox
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.outages import nowhere

NOW = timezone.now()


def call(account: UUID | None, *, ms: int = 10, error: ErrorKind | None = None, ago: int = 0) -> Call:
    outcome = Sent("1") if error is None else ProviderError(error, "no")
    outcome.latency_ms = ms
    choice = Choice(Account(id=account, name="a", channel="sms", provider="twilio"), "")
    return Call(choice, outcome, NOW - dt.timedelta(seconds=ago))


def told(account: UUID, *calls: Call) -> Vitals | None:
    vitals.count(calls)
    vitals.hand_over()
    return vitals.last_hour([account], now=NOW).get(account)


def test_it_works() -> None:
    id = new_id()
    calls = [call(id, ms=40)] * 8 + [call(id, ms=400), call(id, ms=70_000, error=ErrorKind.TRANSIENT)]
    found = told(id, *calls)
    assert found == Vitals(calls=10, failed=1, typical_ms=50, slow_ms=60_000)
    assert found.error_rate == 0.1


@pytest.mark.parametrize(
    ("kind", "failed"),
    [("transient", 1), ("account", 1), ("unknown", 1), ("address", 0), ("rate_limited", 0)],
)
def test_it_blames_the_account_for_what_is_its_fault(kind: str, failed: int) -> None:
    id = new_id()
    found = told(id, call(id, error=ErrorKind(kind)))
    assert found is not None
    assert (found.calls, found.failed) == (1, failed)


def test_it_spares_the_account_that_is_well_otherwise() -> None:
    id = new_id()
    refused = call(id, error=ErrorKind.ACCOUNT)
    assert isinstance(refused.outcome, ProviderError)
    refused.outcome.spares_health = True
    found = told(id, refused)
    assert found is not None
    assert (found.calls, found.failed) == (1, 0)


def test_it_adds_up() -> None:
    id = new_id()
    told(id, call(id, ago=600), call(id, ago=1200))
    found = told(id, call(id))
    assert found is not None
    assert found.calls == 3


def test_it_forgets_after_an_hour() -> None:
    id = new_id()
    assert told(id, call(id, ago=3_700)) is None


def test_it_knows_nothing_of_the_feed() -> None:
    vitals.count([call(None)])
    assert vitals.last_hour([]) == {}


@pytest.mark.django_db
def test_what_is_sent_is_counted(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    dispatch.run(tenant.pk, create_deliveries(tenant, 5))
    vitals.hand_over()
    assert vitals.last_hour([account.pk])[account.pk].calls == 5


@pytest.fixture
def valkey_away(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = nowhere()
    forget()
    yield
    forget()


def forget() -> None:
    rates.pool.cache_clear()
    vitals._client.cache_clear()


def test_it_does_without_valkey(valkey_away: None) -> None:
    id = new_id()
    assert told(id, call(id)) is None
