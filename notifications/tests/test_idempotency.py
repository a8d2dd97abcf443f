"""`Idempotency-Key`: the same request twice is answered twice and done once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from notifications.idempotency import Answer, forget, once
from notifications.models import IdempotencyKey, Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

SEND = f"{NOTIFICATIONS}/send"


def post(service: Api, key: str, **over: Any) -> Any:
    return service.post(SEND, a_notification(**over), headers={"Idempotency-Key": key})


def test_it_works(service: Api) -> None:
    first, second = post(service, "k1"), post(service, "k1")
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Notification.objects.count() == 1


def test_it_refuses_the_key_for_another_body(service: Api) -> None:
    post(service, "k1")
    answer = post(service, "k1", reference="other")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    assert Notification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_says_that_the_first_is_still_running(tenant: Tenant, service: Api) -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def work() -> Answer:
        is_running.set()
        may_end.wait(10)
        return Answer(202, {})

    with elsewhere(lambda: once(tenant, "k1", "", work)):
        is_running.wait(10)
        answer = post(service, "k1")
        may_end.set()
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert answer["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_it_is_free_at_once_when_the_first_died(tenant: Tenant, service: Api) -> None:
    def work() -> Answer:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        raise AssertionError

    def die() -> None:
        with pytest.raises(OperationalError):
            once(tenant, "k1", "", work)

    with elsewhere(die):
        pass
    assert post(service, "k1").status_code == 202


@contextmanager
def elsewhere(work: Callable[[], object]) -> Iterator[None]:
    """`work` in another thread, over a connection of its own, meanwhile; what it raises is raised here."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(run)
        yield
        working.result(10)


def test_it_forgets_after_a_day(service: Api) -> None:
    post(service, "k1")
    IdempotencyKey.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    answer = post(service, "k1", reference="other")
    assert answer.status_code == 202
    assert Notification.objects.count() == 2


def keep(tenant: Tenant, *keys: str, hours: float = 0) -> None:
    """Keys that were used so many hours ago."""
    used_at = timezone.now() - dt.timedelta(hours=hours)
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(tenant=tenant, key=key, status=202, body={}, created_at=used_at) for key in keys
    )


def kept() -> set[str]:
    return set(IdempotencyKey.objects.values_list("key", flat=True))


def test_it_deletes_what_is_forgotten_whoevers_it_is(tenant: Tenant) -> None:
    keep(tenant, "old", hours=24.1)
    keep(create_tenant(), "another's", hours=48)
    keep(tenant, "young", hours=23.9)
    assert forget() == 2
    assert kept() == {"young"}


@override_settings(IDEMPOTENCY_HOURS=72)
def test_it_deletes_no_earlier_than_it_forgets(tenant: Tenant) -> None:
    keep(tenant, "k1", hours=71)
    assert forget() == 0


def test_it_deletes_so_many_at_a_time_the_oldest_first(tenant: Tenant) -> None:
    for age in range(5):
        keep(tenant, f"k{age}", hours=25 + age)
    assert forget(chunk=2, chunks=2) == 4
    assert kept() == {"k0"}
    assert forget(chunk=2, chunks=2) == 1
    assert forget(chunk=2, chunks=2) == 0


@pytest.mark.django_db(transaction=True)
def test_it_does_not_delete_a_key_that_is_being_used_again(tenant: Tenant) -> None:
    keep(tenant, "k1", hours=25)
    is_locked, may_end = threading.Event(), threading.Event()

    def use_again() -> None:
        with transaction.atomic():
            once(tenant, "k1", "", lambda: Answer(202, {}))
            is_locked.set()
            may_end.wait(10)

    with elsewhere(use_again):
        is_locked.wait(10)
        assert forget() == 0
        may_end.set()
    assert kept() == {"k1"}


def test_it_frees_the_key_of_a_refused_request(service: Api) -> None:
    assert post(service, "k1", channels=["fax"]).status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert post(service, "k1").status_code == 202


def test_it_is_the_tenants_own(service: Api) -> None:
    post(service, "k1")
    other = api(create_api_key(create_tenant()))
    assert (
        other.post(SEND, a_notification(category="x"), headers={"Idempotency-Key": "k1"}).json()["code"]
        == "unknown_category"
    )


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_it_refuses_a_key_that_is_none(service: Api, key: str) -> None:
    answer = post(service, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


@pytest.mark.django_db(transaction=True)
def test_it_holds_when_both_come_at_once(service: Api) -> None:
    answers: list[Any] = []
    barrier = threading.Barrier(4)

    def call() -> None:
        barrier.wait()
        answers.append(post(service, "k1"))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Notification.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert 202 in {answer.status_code for answer in answers}
