from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from delivery import dispatch, rates
from delivery.models import HELD, Delivery
from delivery.routing import Account
from delivery.tests.factories import create_deliveries, create_twilio, look, make_due
from sandbox.testing import RunningSandbox
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.outages import nowhere

pytestmark = pytest.mark.django_db


def account(rate: int | None) -> Account:
    return Account(id=new_id(), name="limited", channel="sms", provider="twilio", rate_per_second=rate)


@pytest.fixture
def valkey_away(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = nowhere()
    forget_valkey()
    yield
    forget_valkey()


def forget_valkey() -> None:
    rates.pool.cache_clear()
    rates._limiter.cache_clear()


def test_it_works() -> None:
    limited = account(5)
    assert rates.take(limited, 3) == 3
    assert rates.take(limited, 9) == 2
    assert rates.take(limited, 1) == 0


@pytest.mark.parametrize(
    ("rate", "wanted", "granted"), [(None, 500, 500), (0, 5, 0), (10, 0, 0), (10, 500, 10)]
)
def test_it_grants_what_the_rate_allows(rate: int | None, wanted: int, granted: int) -> None:
    assert rates.take(account(rate), wanted) == granted


def test_accounts_do_not_share() -> None:
    one, other = account(2), account(2)
    assert (rates.take(one, 2), rates.take(other, 2)) == (2, 2)


def test_workers_together_never_exceed_it_in_any_second() -> None:
    limited, workers, total = account(20), 4, 50
    start = Barrier(workers)
    granted: list[tuple[float, float]] = []  # between which moments

    def work(wanted: int) -> None:
        start.wait()
        while len(granted) < total:
            asked = time.monotonic()
            taken = rates.take(limited, wanted)
            granted.extend([(asked, time.monotonic())] * taken)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, (1, 3, 7, 20)))
    busiest = max(
        sum(begin <= asked and got < begin + 0.95 for asked, got in granted) for begin, _ in granted
    )
    assert busiest <= 20
    ends = sorted(got for _, got in granted)
    assert ends[total - 1] - ends[0] < 5, "and it is not kept below it either"


@pytest.mark.usefixtures("valkey_away")
def test_without_valkey_it_lets_all_pass(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=1)
    ids = create_deliveries(tenant, 3)
    begun = time.monotonic()
    dispatch.run(tenant.pk, ids)
    assert len(sandbox.messages()) == 3
    assert time.monotonic() - begun < 6


def assert_held(ids: list[UUID], *seconds: float, since: dt.datetime) -> None:
    """How long each of those that are held back waits, counted from a moment between `since` and now."""
    rows = Delivery.objects.filter(pk__in=ids, status="queued", reason=HELD)
    held = sorted((row.due_at - since).total_seconds() for row in rows)
    late = (timezone.now() - since).total_seconds()
    assert len(held) == len(seconds)
    assert all(wait <= got <= wait + late for wait, got in zip(seconds, held, strict=True)), (held, late)


def test_what_is_over_it_is_held_back_one_after_the_other(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=2)
    ids, since = create_deliveries(tenant, 6), timezone.now()
    dispatch.run(tenant.pk, ids)
    assert len(sandbox.messages()) == 2
    assert_held(ids, 0.5, 1.0, 1.5, 2.0, since=since)
    assert {(look(id).attempt, look(id).tries) for id in ids} == {(0, 0), (1, 0)}


def test_newcomers_stand_behind_those_who_wait(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=2)
    dispatch.run(tenant.pk, create_deliveries(tenant, 6))
    late, since = create_deliveries(tenant, 2), timezone.now()
    dispatch.run(tenant.pk, late)
    assert_held(late, 2.5, 3.0, since=since)


def test_the_urgent_stand_behind_the_urgent_only(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=2)
    dispatch.run(tenant.pk, create_deliveries(tenant, 6, priority=9))
    urgent, since = create_deliveries(tenant, 1, priority=0), timezone.now()
    dispatch.run(tenant.pk, urgent)
    assert_held(urgent, 0.5, since=since)


def test_who_waited_and_is_still_too_early_keeps_its_place(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=1)
    ids = create_deliveries(tenant, 40)
    dispatch.run(tenant.pk, ids)
    (first, *_) = Delivery.objects.filter(reason=HELD).order_by("due_at").values_list("pk", flat=True)
    make_due(first)
    since = timezone.now()
    dispatch.run(tenant.pk, [first])
    assert look(first).reason == HELD
    assert_held([first], 1, since=since)


def test_who_waited_goes_before_newcomers(tenant: Tenant, sandbox: RunningSandbox) -> None:
    limited = create_twilio(tenant, sandbox, rate_per_second=1)
    ids = create_deliveries(tenant, 2)
    Delivery.objects.filter(pk=ids[1]).update(reason=HELD, account_id=limited.pk)
    dispatch.run(tenant.pk, ids)
    assert (look(ids[0]).status, look(ids[1]).status) == ("queued", "sent")


def test_it_expires_what_would_be_held_past_its_deadline(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox, rate_per_second=1)
    deadline = timezone.now() + dt.timedelta(seconds=2.99)
    ids = create_deliveries(tenant, 5, deadline=deadline)
    dispatch.run(tenant.pk, ids)
    assert sorted(look(id).status for id in ids) == ["expired", "expired", "queued", "queued", "sent"]
