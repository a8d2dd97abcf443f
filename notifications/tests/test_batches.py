"""send-batch, send-chunk and the batch itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from delivery.tests.factories import create_smtp
from notifications.models import Batch, Intake, Notification
from notifications.reading import batch_status
from notifications.tests.calls import CONTENT, NOTIFICATIONS, a_notification, a_template
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

BATCH = f"{NOTIFICATIONS}/send-batch"
CHUNK = f"{NOTIFICATIONS}/send-chunk"


def items(count: int, **over: Any) -> list[dict[str, Any]]:
    return [a_notification(reference=f"r{number}", **over) for number in range(count)]


def open_batch(service: Api, count: int = 2, **over: Any) -> Any:
    answer = service.post(BATCH, {"notifications": items(count), **over})
    assert answer.status_code == 202, answer.json()
    return answer.json()


def chunk(service: Api, batch: Any, number: int, **over: Any) -> Any:
    body = {
        "batch_id": batch["batch_id"],
        "batch_token": batch["batch_token"],
        "chunk": number,
        "notifications": items(3),
        **over,
    }
    return service.post(CHUNK, body)


def test_it_works(service: Api) -> None:
    answer = open_batch(service, 1000)
    assert set(answer) == {"batch_id", "batch_token", "accepted", "rejected", "total_accepted"}
    assert (answer["accepted"], answer["rejected"], answer["total_accepted"]) == (1000, [], 1000)
    assert Notification.objects.filter(batch_id=answer["batch_id"]).count() == 1000
    assert Intake.objects.get().accepted == 1000


def test_it_takes_one_wording_for_many(tenant: Tenant, service: Api) -> None:
    a_template(tenant)
    recipients = ["ann", {"email": "bob@example.com"}, {"id": "cho", "email": "cho@example.com"}]
    body = {"recipients": recipients, "template": "greeting", "data": {"name": "all"}, "channels": ["email"]}
    answer = service.post(BATCH, body)
    assert answer.json()["accepted"] == 3
    assert set(Notification.objects.values_list("recipient_external_id", flat=True)) == {"ann", "", "cho"}


def test_it_takes_the_good_and_names_the_bad(tenant: Tenant, service: Api) -> None:
    bad = [
        a_notification(channels=["fax"]),
        a_notification(recipient={"phone": "12"}),
        a_notification(reference="a\x00b"),
        "no object",
        a_notification(colour="red"),
    ]
    answer = service.post(BATCH, {"notifications": [a_notification(), *bad, a_notification()]}).json()
    assert answer["accepted"] == 2
    told = {(entry["index"], entry["code"], entry["pointer"]) for entry in answer["rejected"]}
    assert {
        (1, "unknown_channel", "/notifications/1/channels/0"),
        (2, "invalid_phone", "/notifications/2/recipient/phone"),
    } < told
    assert (3, "control_character", "/notifications/3/reference") in told
    assert {entry["index"] for entry in answer["rejected"]} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"notifications": items(1001)}, "/notifications"),
        ({"notifications": []}, "/notifications"),
        ({"notifications": "all"}, "/notifications"),
        ({"recipients": ["ann"] * 1001, "content": CONTENT}, "/recipients"),
        ({"recipients": ["ann"]}, ""),
        ({"notifications": items(1), "surprise": 1}, "/surprise"),
        ({"notifications": items(1), "total_expected": 0}, "/total_expected"),
        ({}, "/notifications"),
    ],
)
def test_it_refuses_a_body_that_is_no_batch(service: Api, body: Any, pointer: str) -> None:
    answer = service.post(BATCH, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not Batch.objects.exists()
    assert not Notification.objects.exists()


def test_it_replays_an_idempotent_batch(service: Api) -> None:
    headers = {"Idempotency-Key": "batch-1"}
    first = service.post(BATCH, {"notifications": items(2)}, headers=headers)
    second = service.post(BATCH, {"notifications": items(2)}, headers=headers)
    assert first.json() == second.json()
    assert Notification.objects.count() == 2


def test_it_sends_an_item_with_a_key_once(service: Api) -> None:
    keyed = [a_notification(idempotency_key="a"), a_notification(idempotency_key="b", reference="b")]
    service.post(BATCH, {"notifications": keyed})
    again = [
        *keyed,
        a_notification(idempotency_key="a", reference="changed"),
        a_notification(idempotency_key="c"),
    ]
    answer = service.post(BATCH, {"notifications": again}).json()
    assert Notification.objects.count() == 3
    assert [(entry["index"], entry["code"]) for entry in answer["rejected"]] == [(2, "idempotency_conflict")]


@pytest.mark.django_db(transaction=True)
def test_it_sends_an_item_with_a_key_once_when_two_come_at_once(service: Api) -> None:
    keyed = {"notifications": [a_notification(idempotency_key="a"), a_notification(idempotency_key="b")]}
    barrier = threading.Barrier(4)

    def call() -> int:
        barrier.wait()
        try:
            return int(service.post(BATCH, keyed).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = [working.result() for working in [pool.submit(call) for _ in range(4)]]
    assert Notification.objects.count() == 2
    assert 202 in answers
    assert set(answers) <= {202, 409}


def test_it_refuses_a_key_twice_in_one_request(service: Api) -> None:
    answer = service.post(BATCH, {"notifications": [a_notification(idempotency_key="a")] * 2}).json()
    assert (answer["accepted"], answer["rejected"][0]["code"]) == (1, "idempotency_conflict")


def test_it_adds_chunks(service: Api) -> None:
    batch = open_batch(service, 2, total_expected=5)
    answer = chunk(service, batch, 1)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["total_accepted"]) == (202, 3, 5)


def test_it_answers_a_chunk_again(service: Api) -> None:
    batch = open_batch(service)
    first, second = chunk(service, batch, 1), chunk(service, batch, 1)
    assert first.json() == second.json()
    assert Notification.objects.count() == 5


def test_it_refuses_a_chunk_number_with_other_items(service: Api) -> None:
    batch = open_batch(service)
    chunk(service, batch, 1)
    answer = chunk(service, batch, 1, notifications=items(1))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")


def test_it_refuses_a_wrong_token(service: Api) -> None:
    answer = chunk(service, open_batch(service), 1, batch_token="nope")
    assert answer.status_code == 403
    assert Notification.objects.count() == 2


def test_it_hides_another_tenants_batch(service: Api) -> None:
    batch = open_batch(service)
    other = api(create_api_key(create_tenant()))
    assert chunk(other, batch, 1).status_code == 404
    assert other.get(f"{NOTIFICATIONS}/batches/{batch['batch_id']}").status_code == 404
    assert other.delete(f"{NOTIFICATIONS}/batches/{batch['batch_id']}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_it_completes(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Callable[[], Any]
) -> None:
    create_smtp(tenant, sandbox)
    batch = open_batch(service, 5)
    url = f"{NOTIFICATIONS}/batches/{batch['batch_id']}"
    assert service.get(url).json()["status"] == "pending"
    drain()
    state = service.get(url).json()
    assert (state["status"], state["counts"]) == ("completed", {"sent": 5})
    assert len(sandbox.messages()) == 5
    listed = service.get(f"{url}/notifications?limit=2").json()
    assert len(listed["results"]) == 2
    assert listed["next"]


@pytest.mark.django_db(transaction=True)
def test_it_cancels_the_rest(service: Api, drain: Callable[[], Any], sandbox: RunningSandbox) -> None:
    batch = open_batch(service, 3)
    answer = service.delete(f"{NOTIFICATIONS}/batches/{batch['batch_id']}")
    assert (answer.json()["status"], answer.json()["counts"]) == ("canceled", {"canceled": 3})
    drain()
    assert sandbox.messages() == []
    assert chunk(service, batch, 1).json()["code"] == "batch_canceled"


@pytest.mark.parametrize(
    ("counts", "expected", "canceled", "status"),
    [
        ({}, 10, False, "pending"),
        ({"accepted": 3}, None, False, "pending"),
        ({"accepted": 3, "scheduled": 1}, None, False, "pending"),
        ({"accepted": 3, "sent": 1}, None, False, "processing"),
        ({"processing": 1, "sent": 1}, None, False, "processing"),
        ({"sent": 4}, 5, False, "processing"),
        ({"sent": 4, "failed": 1}, 5, False, "completed"),
        ({"sent": 4, "suppressed": 1}, None, False, "completed"),
        ({"failed": 5}, 5, False, "failed"),
        ({"canceled": 2, "sent": 1}, 5, True, "canceled"),
    ],
)
def test_it_reads_its_status_off_its_notifications(
    counts: dict[str, int], expected: int | None, canceled: bool, status: str
) -> None:
    assert batch_status(counts, expected=expected, canceled=canceled) == status
