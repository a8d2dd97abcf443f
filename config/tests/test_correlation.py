from typing import Any

import pytest
from celery import shared_task
from celery.contrib.testing.worker import start_worker

from config.celery import app
from config.tests.processes import wait_until
from tenants.logging import request_id
from tenants.tracing import correlated, traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

seen: list[tuple[str, str]] = []


@shared_task(name="config.tests.remember")
def remember() -> None:
    seen.append((request_id.get(), traceparent()))


@pytest.fixture
def worker(db: None) -> Any:
    with start_worker(app, pool="solo", perform_ping_check=False, queues=["plan"], shutdown_timeout=10):
        yield


def test_it_works(worker: Any) -> None:
    seen.clear()

    with correlated("order-17", TRACE):
        remember.delay()
    remember.delay()

    wait_until(lambda: len(seen) == 2)
    (name, trace), (other, none) = seen
    assert name == "order-17"
    assert trace.split("-")[1] == TRACE.split("-")[1]
    assert other not in ("", "order-17")
    assert none == ""
