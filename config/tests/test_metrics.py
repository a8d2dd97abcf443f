import datetime as dt

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu import Connection, Queue
from prometheus_client.parser import text_string_to_metric_families

from config.tests.test_health import create_delivery, create_notification
from delivery.models import ProviderAccount
from notifications.models import Intake, NotificationStatus
from tenants.ids import first_id_at
from tenants.tests.factories import create_tenant
from tenants.tests.outages import database_away, nowhere

pytestmark = pytest.mark.django_db(transaction=True)


def samples(**headers: str) -> dict[tuple[str, ...], float]:
    """The scraped samples by name and label values, in the order of the labels' names."""
    answer = Client(headers=headers).get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def test_it_works() -> None:
    tenant = create_tenant(slug="shop")
    Intake.objects.create(tenant=tenant, accepted=3)
    for status in (NotificationStatus.SENT, NotificationStatus.SENT, NotificationStatus.ACCEPTED):
        create_notification(tenant, status=status)
    create_delivery(tenant, status="sent")
    ProviderAccount.objects.create(tenant=tenant, name="mail", channel="email", provider="smtp", health=0.25)

    seen = samples()

    assert seen["carillon_accepted_last_hour", "shop"] == 3
    assert seen["carillon_notifications_last_hour", "sent", "shop"] == 2
    assert seen["carillon_notifications_last_hour", "accepted", "shop"] == 1
    assert seen["carillon_deliveries_last_hour", "email", "sent"] == 1
    assert seen["carillon_provider_account_health", "mail", "email", "shop"] == 0.25
    assert {seen[name] for name in seen if name[0] == "carillon_scrape_failed"} == {0}


def test_it_counts_no_more_than_an_hour() -> None:
    tenant, before = create_tenant(), first_id_at(timezone.now() - dt.timedelta(minutes=61))
    create_notification(tenant, id=before, status=NotificationStatus.SENT)
    create_delivery(tenant, id=before)
    Intake.objects.create(tenant=tenant, accepted=1, id=before)

    assert not [name for name in samples() if name[0].endswith("_last_hour")]


def test_it_shows_how_late_each_stage_is() -> None:
    tenant, late = create_tenant(), timezone.now() - dt.timedelta(minutes=2)
    create_notification(tenant, id=first_id_at(late))
    create_delivery(tenant, ring_at=late)

    seen = samples()

    assert 120 <= seen["carillon_oldest_due_seconds", "plan"] < 180
    assert 120 <= seen["carillon_oldest_due_seconds", "dispatch"] < 180
    assert seen["carillon_oldest_due_seconds", "schedule"] == 0


def test_it_counts_what_waits_in_each_queue_over_all_priorities() -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    with Connection(settings.CELERY_BROKER_URL, transport_options=options) as broker:
        producer = broker.Producer()
        for priority in (0, 3, 6, 9, 9):
            producer.publish({}, routing_key="sms", declare=[Queue("sms")], priority=priority)

    seen = samples()

    assert seen["carillon_queue_depth", "sms"] == 5
    assert seen["carillon_queue_depth", "email"] == 0


def test_it_asks_no_table_for_all_its_rows() -> None:
    with CaptureQueriesContext(connection) as queries:
        samples()

    counted = [query["sql"] for query in queries if "COUNT(" in query["sql"] or "SUM(" in query["sql"]]
    assert len(counted) == 3
    assert all('"id" >= ' in sql for sql in counted)


@pytest.mark.parametrize("missing", ["queues", "database"])
def test_it_shows_the_rest_while_an_engine_is_away(missing: str) -> None:
    if missing == "queues":
        with override_settings(CELERY_BROKER_URL=nowhere()):
            seen = samples()
        failed = {"queues"}
    else:
        with database_away():
            seen = samples()
        failed = {"ledger", "deliveries", "oldest", "beat", "accounts"}

    marks = {name[1]: value for name, value in seen.items() if name[0] == "carillon_scrape_failed"}
    assert {name for name, failing in marks.items() if failing} == failed
    assert ("carillon_queue_depth", "sms") in seen or missing == "queues"


@override_settings(METRICS_TOKEN="open sesame")
def test_it_asks_for_the_token_where_one_is_set() -> None:
    assert Client().get("/metrics").status_code == 401
    assert Client(headers={"Authorization": "Bearer wrong"}).get("/metrics").status_code == 401
    assert samples(Authorization="Bearer open sesame")
