"""`Idempotency-Key`: the same request twice is answered twice and done once."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

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


def test_it_says_that_the_first_is_still_running(tenant: Tenant, service: Api) -> None:
    post(service, "k1")
    IdempotencyKey.objects.update(status=None, body=None)
    answer = post(service, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert answer["Retry-After"] == "1"


def test_it_takes_over_from_a_process_that_died(service: Api) -> None:
    post(service, "k1")
    IdempotencyKey.objects.update(status=None, created_at=timezone.now() - dt.timedelta(minutes=2))
    assert post(service, "k1").status_code == 202


def test_it_forgets_after_a_day(service: Api) -> None:
    post(service, "k1")
    IdempotencyKey.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    answer = post(service, "k1", reference="other")
    assert answer.status_code == 202
    assert Notification.objects.count() == 2


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
