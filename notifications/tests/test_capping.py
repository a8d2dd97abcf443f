"""Counting for frequency caps: exact whoever counts at the same time, and two statements for a chunk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.capping import Sending, apply
from notifications.caps import Cap, Capped
from notifications.models import FrequencyPlaces
from tenants.context import tenant_scope
from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)

NOW = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ANN = uuid4()


def text(recipient_id: UUID = ANN, *caps: Cap, at: dt.datetime = NOW, **over: Any) -> Sending:
    held = caps or (Cap("sms", 3, DAY),)
    plain = {"category": "system", "chains": [["sms"]], "caps": held, "starts": {"sms": at}}
    return Sending(**{"id": uuid4(), "recipient_id": recipient_id, **plain, **over})


def give(tenant: Tenant, *sendings: Sending, now: dt.datetime = NOW) -> list[Capped]:
    with tenant_scope(tenant.pk):
        found = apply(tenant.pk, sendings, now=now)
    return [found[sending.id] for sending in sendings]


def went(found: Sequence[Capped]) -> int:
    return sum(leg is not None for capped in found for leg in capped.legs)


def test_it_works(tenant: Tenant) -> None:
    assert went(give(tenant, *(text() for _ in range(5)))) == 3
    assert went(give(tenant, text(at=NOW + HOUR), now=NOW + HOUR)) == 0
    assert went(give(tenant, text(uuid4()))) == 1
    assert went(give(tenant, text(at=NOW + DAY), now=NOW + DAY)) == 1
    assert len(FrequencyPlaces.objects.get(recipient_id=ANN).given) == 4


def test_workers_never_give_the_last_place_twice(tenant: Tenant) -> None:
    """Eight chunks of the same three people at once, each in another order."""
    people = [uuid4() for _ in range(3)]
    start = Barrier(8)

    def plan(turn: int) -> int:
        order = people[turn % 3 :] + people[: turn % 3]
        caps = Cap("sms", 5, DAY), Cap("all", 9, HOUR), Cap("category", 7, DAY)
        start.wait(timeout=10)
        found = give(tenant, *(text(person, *caps) for person in order for _ in range(2)))
        connection.close()
        return went(found)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(plan, range(8))) == 3 * 5
    assert {len(row.given) for row in FrequencyPlaces.objects.all()} == {5}


def test_those_who_wait_get_places_of_their_own(tenant: Tenant) -> None:
    hourly = Cap("sms", 1, HOUR, "defer")
    found = give(tenant, *(text(ANN, hourly) for _ in range(3)))
    assert [capped.channels["sms"].at for capped in found] == [NOW + n * HOUR for n in range(3)]
    assert give(tenant, text(ANN, hourly))[0].channels["sms"].at == NOW + 3 * HOUR


def test_categories_and_tests_count_for_themselves(tenant: Tenant) -> None:
    one = Cap("category", 1, DAY)
    given = [text(ANN, one), text(ANN, one, category="marketing"), text(ANN, one, is_test=True)]
    assert went(give(tenant, *given)) == 3
    assert went(give(tenant, text(ANN, one))) == 0
    scopes = FrequencyPlaces.objects.values_list("scope", flat=True)
    assert set(scopes) == {"category:system", "category:marketing", "test:category:system"}
    assert went(give(tenant, text(ANN, Cap("category:sms", 1, DAY)))) == 1
    assert FrequencyPlaces.objects.filter(scope="category:system:sms").exists()


def test_what_is_spared_counts(tenant: Tenant) -> None:
    assert went(give(tenant, *(text(is_spared=True) for _ in range(4)))) == 4
    assert went(give(tenant, text())) == 0


def test_it_costs_two_statements_a_chunk_and_nothing_without_caps(tenant: Tenant) -> None:
    many = [text(uuid4(), Cap("sms", 1, DAY), Cap("all", 1, DAY)) for _ in range(200)]
    with tenant_scope(tenant.pk), CaptureQueriesContext(connection) as captured:
        apply(tenant.pk, [text(caps=())], now=NOW)
        assert len(captured) == 0
        apply(tenant.pk, many, now=NOW)
    assert len(captured) == 2


def test_it_forgets_what_no_window_reaches(tenant: Tenant) -> None:
    give(tenant, text())
    later = NOW + 30 * DAY
    give(tenant, text(at=later), now=later)
    assert FrequencyPlaces.objects.get().given == [later]
