import datetime as dt
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config import overdue
from config.readiness import Migrations, NotReadyError
from delivery.models import Delivery
from notifications.models import Digest, Notification, NotificationStatus, Priority
from tenants.ids import first_id_at, new_id
from tenants.logging import LineFormatter
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.outages import database_away, mute_server, nowhere

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("beat")]

CHECKS = ["database", "migrations", "broker", "live_feed", "beat", "oldest_delivery", "oldest_notification"]


@pytest.fixture(autouse=True)
def _quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever is away, an answer comes: within two seconds, unless the machine is busy."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 6.0


def reasons() -> dict[str, str]:
    """The checks that fail, with their reasons."""
    answer = Client().get("/health/ready")
    checks: dict[str, str] = answer.json()["checks"]
    failed = {name: reason for name, reason in checks.items() if reason != "ok"}
    assert answer.status_code == (503 if failed else 200)
    return failed


def create_delivery(tenant: Tenant, **over: Any) -> Delivery:
    fields = {
        "tenant": tenant,
        "notification_id": new_id(),
        "category": "transactional",
        "priority": Priority.NORMAL,
        "routes": [["email", "ann@example.com"]],
        "channel": "email",
        "address": "ann@example.com",
        "locale": "en",
        "payload": {},
        "unknown_policy": "resend",
    }
    return Delivery.objects.create(**{**fields, **over})


def create_notification(tenant: Tenant, **over: Any) -> Notification:
    fields = {
        "tenant": tenant,
        "channels": ["email"],
        "category": "transactional",
        "type": "info",
        "priority": Priority.URGENT,
        "status": NotificationStatus.ACCEPTED,
    }
    return Notification.objects.create(**{**fields, **over})


def test_it_works() -> None:
    answer = Client().get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": dict.fromkeys(CHECKS, "ok")}


def test_it_lives_whatever_is_away() -> None:
    with database_away(), override_settings(REDIS_URL=nowhere(), CELERY_BROKER_URL=nowhere()):
        answer = Client().get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_says_that_the_database_is_away() -> None:
    with database_away():
        failed = reasons()

    assert set(failed) == {"database", "beat", "oldest_delivery", "oldest_notification"}
    assert failed["database"] == "away (OperationalError)"


def test_it_says_that_valkey_is_away() -> None:
    with override_settings(REDIS_URL=nowhere(), CELERY_BROKER_URL=nowhere()):
        assert reasons() == {"broker": "away (ConnectionError)", "live_feed": "away (ConnectionError)"}


def test_it_gives_up_on_what_does_not_answer() -> None:
    with mute_server() as silent, override_settings(CELERY_BROKER_URL=silent):
        assert reasons() == {"broker": "away (TimeoutError)"}


def test_it_answers_a_problem_document() -> None:
    with override_settings(REDIS_URL=nowhere()):
        answer = Client().get("/health/ready")

    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["detail"] == "live_feed: away (ConnectionError)"


def test_it_says_that_beat_stands_still() -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - dt.timedelta(seconds=45))

    assert reasons() == {"beat": "last tick 45 s ago: beat, or every worker, is down or stuck"}


def test_it_says_that_beat_never_ran() -> None:
    PeriodicTask.objects.all().delete()

    assert reasons() == {"beat": "never ticked: start beat and a worker"}


@pytest.mark.django_db(transaction=False)
def test_it_says_that_migrations_are_missing() -> None:
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")

    with pytest.raises(NotReadyError, match="1 migrations are not applied"):
        Migrations()()


def test_it_says_how_long_a_delivery_was_not_rung_for() -> None:
    create_delivery(create_tenant(), ring_at=timezone.now() - dt.timedelta(minutes=5))

    assert reasons() == {"oldest_delivery": "a delivery has been due for 300 s and nobody took it"}


def test_it_says_how_long_a_schedule_was_missed() -> None:
    late = timezone.now() - dt.timedelta(minutes=5)
    create_notification(create_tenant(), status=NotificationStatus.SCHEDULED, send_at=late)

    reason = "a scheduled notification has been due for 300 s and nobody took it"
    assert reasons() == {"oldest_notification": reason}


def test_it_says_how_long_a_digest_was_not_closed() -> None:
    late = timezone.now() - dt.timedelta(minutes=5)
    Digest.objects.create(tenant=create_tenant(), key="comments", window="1h", opened_at=late, closes_at=late)

    assert reasons() == {"oldest_notification": "a digest has been due for 300 s and nobody took it"}


def test_it_minds_an_urgent_notification_that_nobody_plans() -> None:
    created = first_id_at(timezone.now() - dt.timedelta(minutes=5))
    create_notification(create_tenant(), id=created)

    reason = "an urgent notification has been due for 300 s and nobody took it"
    assert reasons() == {"oldest_notification": reason}


def test_it_does_not_mind_a_large_batch_that_takes_its_time() -> None:
    created = first_id_at(timezone.now() - dt.timedelta(minutes=5))
    create_notification(create_tenant(), id=created, priority=Priority.LOW)
    create_delivery(create_tenant(), ring_at=timezone.now() - dt.timedelta(minutes=5), status="sent")

    assert reasons() == {}


def test_it_finds_the_oldest_of_all_tenants_and_priorities() -> None:
    now = timezone.now()
    for minutes, priority in ((1, Priority.URGENT), (7, Priority.LOW), (3, Priority.HIGH)):
        created = first_id_at(now - dt.timedelta(minutes=minutes))
        create_notification(create_tenant(), id=created, priority=priority)

    assert round(overdue.oldest_unplanned(now) / dt.timedelta(minutes=1)) == 7
    assert round(overdue.oldest_unplanned(now, Priority.URGENT, Priority.HIGH) / dt.timedelta(minutes=1)) == 3


def test_it_logs_a_change_once(caplog: pytest.LogCaptureFixture) -> None:
    assert reasons() == {}
    caplog.set_level(logging.INFO)
    caplog.clear()

    for _ in range(3):
        with override_settings(REDIS_URL=nowhere()):
            assert reasons()
    with override_settings(REDIS_URL=nowhere(), CELERY_BROKER_URL=nowhere()):
        assert reasons()
    assert reasons() == reasons() == {}

    assert [
        (record.levelname, LineFormatter().format(record).partition(" config.health ")[2])
        for record in caplog.records
    ] == [
        ("WARNING", "not ready failed=live_feed"),
        ("WARNING", "not ready failed=broker,live_feed"),
        ("INFO", "ready again"),
    ]


def test_it_takes_no_other_method() -> None:
    assert Client().post("/health/ready").status_code == 405
