"""Forgetting people: what goes, what stays, and what is not to come back."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.tenancy import create_tenant
from delivery import dead_letters, queue, receipts, recording, settlement
from delivery.models import Delivery, ProviderAccount, Receipt, Reply, StoredFile
from delivery.providers.base import (
    Content,
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptStatus,
    Sent,
)
from delivery.routing import Account, Choice
from delivery.settlement import Call
from delivery.tests.factories import create_smtp, create_twilio
from notifications import erasure, release, traces
from notifications.models import Erasure, Feed, FeedItem, FrequencyPlaces, Intake, Notification
from notifications.tests.calls import CONTENT, NOTIFICATIONS, a_template, send
from preferences.addresses import RecipientFields
from preferences.directory import merge
from preferences.models import Preference, Recipient
from preferences.suppressions import among, suppress
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key
from tenants.tests.pages import staff

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
URL = "/api/v1/services/recipients"
LATER = dt.timedelta(seconds=20)

EVA = {"email": "Eva.Secret@example.com", "phone": "+15005550123", "slack": "CEVA99", "locale": "de"}
SECRETS = ["eva.secret", "+15005550123", "CEVA99", "Eva Geheim", "token-of-eva", "eva-77", "note-of-eva"]


@pytest.fixture
def eva(tenant: Tenant) -> Recipient:
    person = create_recipient(tenant, ["token-of-eva"], external_id="eva-77", **EVA)
    Preference.objects.create(tenant=tenant, recipient=person, level="channel", channel="push", enabled=False)
    return person


@pytest.fixture
def accounts(tenant: Tenant, sandbox: RunningSandbox) -> dict[str, ProviderAccount]:
    sandbox.fault("twilio", receipt="none")
    return {"email": create_smtp(tenant, sandbox), "sms": create_twilio(tenant, sandbox)}


@pytest.fixture(autouse=True)
def _storage(settings: Settings, tmp_path: Any) -> None:
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "attachments": place}


def file(content: bytes) -> dict[str, Any]:
    attached = {"filename": "note-of-eva.pdf", "content": b64encode(content).decode()}
    return {"email": {"attachments": [attached]}}


def everything() -> str:
    """All that PostgreSQL holds, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [table for (table,) in cursor.fetchall()]
        texts = []
        for table in tables:
            cursor.execute(f"SELECT string_agg(t::text, chr(10)) FROM {table} t")
            texts.append(f"{table}: {cursor.fetchone()[0]}")
    return "\n".join(texts)


def found_in(text: str) -> list[str]:
    """Which secrets, and in which rows."""
    return [
        f"{secret} in {line[:300]}"
        for secret in SECRETS
        for line in text.splitlines()
        if secret.lower() in line.lower()
    ]


def erase(tenant: Tenant, external_id: str = "eva-77", type: str = "user") -> Erasure:
    return erasure.ask(tenant, (type, external_id), asked_by="test")


def finish(row: Erasure) -> Erasure:
    assert erasure.run(row.tenant_id, row.pk, now=timezone.now() + LATER)
    return Erasure.objects.get(pk=row.pk)


def live(tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain) -> str:
    """Something of everything; the id of a notification."""
    words = {"recipient": "eva-77", "data": {"name": "Eva Geheim"}, "metadata": {"who": "Eva Geheim"}}
    a_template(tenant)
    id = service.post(
        f"{NOTIFICATIONS}/send",
        {
            **words,
            "template": "greeting",
            "channels": ["email", "sms"],
            "reference": "eva-77/1",
            "overrides": file(b"private"),
        },
        headers={"Idempotency-Key": "k1"},
    ).json()["id"]
    said = {**CONTENT, "body": "Dear Eva Geheim"}
    action = {"url": "https://shop.example/eva-77", "text": "See"}
    send(service, recipient="eva-77", content=said, channels=["in_app"], action=action)
    item = {
        "recipient": "eva-77",
        "content": said,
        "channels": ["email"],
        "idempotency_key": "i1",
        "reference": "eva-77/2",
    }
    service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": [item]}, headers={"Idempotency-Key": "k2"})
    send(service, recipient={"email": "eva.SECRET@example.com"}, content=said, channels=["email"])
    drain()
    heard = Inbound("r1", EVA["phone"], "+15005550000", "Stop it, says Eva Geheim", timezone.now())
    receipts.apply(accounts["sms"], [heard, Inbound("r2", EVA["phone"], "+1500", "STOP", timezone.now())])
    error = ProviderError(ErrorKind.ADDRESS, "eva.secret@example.com is full", code="full")
    (leg,) = Delivery.objects.filter(notification_id=id, channel="email")
    told = ParsedReceipt(
        "mail-to-eva.secret", "note-of-eva", ReceiptStatus.FAILED, timezone.now(), error, f"{leg.pk}.1"
    )
    receipts.apply(accounts["email"], [told])
    suppress(tenant.pk, [("email", EVA["email"], "complained")])
    about = ContentType.objects.get_for_model(Recipient)
    user = User.objects.create_user("operator")
    LogEntry.objects.create(
        user=user, content_type=about, object_id=str(eva.pk), object_repr="eva-77", action_flag=CHANGE
    )
    return str(id)


def books(tenant: Tenant) -> Any:
    """What is counted: it is not to change."""
    return (
        Counter(Notification.objects.values_list("status", "template_code", "category")),
        Counter(Delivery.objects.values_list("status", "channel", "reason", "account_id")),
        Counter(Intake.objects.values_list("accepted", flat=True)),
        Receipt.objects.count(),
        Reply.objects.count(),
    )


def test_it_works(tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain) -> None:
    id = live(tenant, service, eva, accounts, drain)
    assert {secret for secret in SECRETS if secret.lower() in everything().lower()} == set(SECRETS)
    FrequencyPlaces.objects.create(tenant=tenant, recipient_id=eva.pk, scope="sms")
    before = books(tenant)
    answer = service.post(f"{URL}/eva-77/erase")
    assert answer.status_code == 202
    assert service.get(f"{URL}/eva-77").status_code == 404
    row = finish(Erasure.objects.get(pk=answer.json()["id"]))
    assert found_in(everything()) == []
    assert books(tenant) == before
    done = service.get(f"/api/v1/services/erasures/{row.pk}").json()
    assert (done["status"], done["asked_by"][:8]) == ("done", "key ck_l")
    assert done["counts"] == {
        **done["counts"],
        "recipients": 1,
        "devices": 1,
        "preferences": 1,
        "notifications": 4,
        "deliveries": 5,
        "receipts": 1,
        "replies": 2,
        "suppressions": 2,
        "feed_items": 1,
        "feeds": 1,
        "frequency": 1,
        "attachments": 1,
        "idempotency_keys": 2,
        "admin_log": 1,
    }
    assert row.subject == {}
    assert not StoredFile.objects.exists()
    assert not Feed.objects.exists()
    address = ("email", "eva.secret@example.com")
    assert among(tenant.pk, [address, ("sms", EVA["phone"])]) == {
        address: "complained",
        ("sms", EVA["phone"]): "unsubscribed",
    }
    seen = service.get(f"{NOTIFICATIONS}/{id}").json()
    assert [d["address"] for d in seen["deliveries"]] == ["", ""]
    again = service.post(f"{NOTIFICATIONS}/send", {"recipient": "eva-77"}, headers={"Idempotency-Key": "k1"})
    assert again.status_code in {400, 422}


def test_what_is_others_stays(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain
) -> None:
    other = create_tenant(slug="other")
    create_recipient(other, external_id="eva-77", **EVA)
    elsewhere = api(create_api_key(other))
    said = {"content": CONTENT, "channels": ["email"], "overrides": file(b"shared")}
    kept = [
        send(elsewhere, **{**said, "recipient": "eva-77"})["id"],
        send(service, **{**said, "recipient": "ann"})["id"],
    ]
    kept.append(send(service, **{**said, "recipient": {"id": "eva-77", "type": "driver"}})["id"])
    gone = send(service, **{**said, "recipient": "eva-77"})["id"]
    drain()
    finish(erase(tenant))
    for id in kept:
        row = Notification.objects.get(pk=id)
        assert row.recipient_external_id
        assert row.overrides["email"]["attachments"]
        assert (
            Delivery.objects.filter(notification_id=id).exclude(address="").exists() or row.status == "failed"
        )
    assert Notification.objects.get(pk=gone).overrides == {}
    assert StoredFile.objects.count() == 2, "ann was sent the same file"
    assert Recipient.objects.filter(external_id="eva-77").count() == 2


def test_what_has_not_left_is_canceled(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain
) -> None:
    scheduled = send(service, recipient="eva-77", delay=3600)["id"]
    chain = {"chain": ["email", "sms"], "within": 600}
    begun = send(service, recipient="eva-77", channels=[chain])["id"]
    drain()
    unplanned = send(service, recipient="eva-77")["id"]
    finish(erase(tenant))
    status = dict(Notification.objects.values_list("pk", "status"))
    assert [status[UUID(id)] for id in (scheduled, begun, unplanned)] == ["canceled", "sent", "canceled"]
    assert not Delivery.objects.exclude(escalate_at=None).exists()


def test_it_waits_for_what_is_being_sent(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, sandbox: RunningSandbox
) -> None:
    id = send(service, recipient="eva-77", channels=["in_app"])["id"]
    release.plan(tenant.pk, [UUID(id)])
    with tenant_scope(tenant.pk):
        (leg,) = queue.claim([Delivery.objects.get(notification_id=id).pk], now=timezone.now())
    row = erase(tenant)
    assert not erasure.run(tenant.pk, row.pk, now=timezone.now() + LATER)
    assert Delivery.objects.get(pk=leg.id).recipient_id == eva.pk
    feed = Choice(Account(id=None, name="feed", channel="in_app", provider="feed"), "")
    call = Call(feed, Sent(), timezone.now())
    recording.settle(tenant.pk, [settlement.sent(leg, call, Content(title="Eva"), timezone.now())])
    assert FeedItem.objects.exists()
    finish(row)
    assert not FeedItem.objects.exists()
    assert Delivery.objects.get(pk=leg.id).recipient_id is None


def test_it_is_done_only_when_what_began_before_is_there(tenant: Tenant, eva: Recipient) -> None:
    row = erase(tenant)
    assert not erasure.run(tenant.pk, row.pk, now=timezone.now())
    erasure.run_due(now=timezone.now() + LATER)
    assert Erasure.objects.get(pk=row.pk).status == "done"
    assert not erasure.run(tenant.pk, row.pk, now=timezone.now() + LATER), "there is nothing to do any more"


def test_it_is_the_same_erasure_while_it_runs(tenant: Tenant, eva: Recipient) -> None:
    first = erase(tenant)
    with tenant_scope(tenant.pk):
        merge(tenant, [RecipientFields(id="eva-77", email="back@example.com")])
    assert erase(tenant).pk == first.pk
    assert not Recipient.objects.filter(external_id="eva-77").exists()
    assert finish(first).counts["recipients"] == 2
    again = erase(tenant)
    assert again.pk != first.pk
    assert again.subject_hash == first.subject_hash
    assert finish(again).counts == {}
    assert erase(tenant, "nobody").status == "running"


def test_it_goes_on_where_it_was(
    tenant: Tenant, service: Api, eva: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "CHUNK", 2)
    ids = [send(service, recipient="eva-77", delay=3600)["id"] for _ in range(5)]
    row = erase(tenant)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF NEW.id = '{ids[3]}' AND NEW.data = '{{}}' AND NEW.recipient_external_id = ''
                   THEN RAISE 'no'; END IF; RETURN NEW; END $$;
                CREATE TRIGGER fail BEFORE UPDATE ON notifications_notification
                FOR EACH ROW EXECUTE FUNCTION fail()"""
        )
    try:
        with pytest.raises(Exception, match="no"):
            erasure.run(tenant.pk, row.pk, now=timezone.now() + LATER)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION fail CASCADE")
    assert Notification.objects.exclude(recipient_external_id="").count() == 3
    assert Erasure.objects.get(pk=row.pk).counts["notifications"] == 2
    assert finish(row).counts["notifications"] == 5


def test_a_merge_of_the_same_moment_is_before_or_after(tenant: Tenant, eva: Recipient) -> None:
    said = RecipientFields.model_validate(
        {"id": "eva-77", "email": "new@example.com", "devices": ["token-of-eva"]}
    )

    def at_once(*work: Callable[[], object]) -> None:
        ready = Barrier(len(work))

        def do(one: Callable[[], object]) -> None:
            ready.wait()
            try:
                one()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(work)) as threads:
            list(threads.map(do, work))

    for _ in range(10):
        at_once(lambda: merge(tenant, [said]), lambda: erase(tenant), lambda: merge(tenant, [said]))
        left = Recipient.objects.filter(external_id="eva-77").values_list("email", "slack", "locale")
        assert list(left) in ([], [("new@example.com", "", "")])
    assert Erasure.objects.count() == 1


def test_two_workers_share_it(
    tenant: Tenant, service: Api, eva: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "CHUNK", 3)
    for _ in range(30):
        send(service, recipient="eva-77", delay=3600)
    row = erase(tenant)

    def work(_: int) -> None:
        try:
            erasure.run(tenant.pk, row.pk, now=timezone.now() + LATER)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    erasure.run(tenant.pk, row.pk, now=timezone.now() + LATER)
    row.refresh_from_db()
    assert (row.status, row.counts["notifications"]) == ("done", 30)


def test_a_late_receipt_brings_nothing_back(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain
) -> None:
    id = send(service, recipient="eva-77", channels=[["sms", "email"]])["id"]
    drain()
    finish(erase(tenant))
    leg = Delivery.objects.get(notification_id=id)
    error = ProviderError(ErrorKind.ADDRESS, "eva.secret is gone", code="30005", permanent=True)
    failed = ParsedReceipt(
        "eva-77:failed", "eva-77", ReceiptStatus.FAILED, timezone.now(), error, f"{leg.pk}.1"
    )
    for _ in range(2):
        receipts.apply(accounts["sms"], [failed, failed])
    leg.refresh_from_db()
    assert (leg.status, leg.route, leg.address) == ("sent", 0, "")
    assert Receipt.objects.count() == 1
    arrived = ParsedReceipt(
        "eva-77:delivered", "", ReceiptStatus.DELIVERED, timezone.now(), reference=f"{leg.pk}.1"
    )
    receipts.apply(accounts["sms"], [arrived])
    leg.refresh_from_db()
    assert leg.status == "delivered"
    assert found_in(everything()) == []


def test_a_repeated_event_is_known_after_an_erasure(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain
) -> None:
    id = send(service, recipient="eva-77", channels=["sms"])["id"]
    drain()
    leg = Delivery.objects.get(notification_id=id)
    opened = ParsedReceipt("event-1", "", ReceiptStatus.OPENED, timezone.now(), reference=f"{leg.pk}.1")
    receipts.apply(accounts["sms"], [opened])
    finish(erase(tenant))
    receipts.apply(accounts["sms"], [opened])
    assert Receipt.objects.count() == 1


def test_a_dead_letter_stays_dead(tenant: Tenant, service: Api, eva: Recipient, drain: Drain) -> None:
    send(service, recipient="eva-77", channels=["email"])
    drain()
    Delivery.objects.update(status="failed", reason="no_account")
    finish(erase(tenant))
    ids = list(Delivery.objects.values_list("pk", flat=True))
    assert dead_letters.retry(tenant.pk, ids) == 0
    assert dead_letters.failed(Delivery.objects.all()).count() == 0
    assert queue.claim(ids, now=timezone.now()) == []


def test_somebody_new_of_the_same_id_is_left_alone(tenant: Tenant, service: Api, eva: Recipient) -> None:
    old = send(service, recipient="eva-77", delay=3600)["id"]
    row = erase(tenant)
    Erasure.objects.filter(pk=row.pk).update(covers_until=timezone.now())
    new = send(service, recipient={"id": "eva-77", "email": "new@example.com"}, delay=3600)["id"]
    finish(row)
    assert Notification.objects.get(pk=old).recipient_external_id == ""
    assert Notification.objects.get(pk=new).recipient_external_id == "eva-77"
    assert Recipient.objects.get(external_id="eva-77").email == "new@example.com"


def test_what_waits_in_a_digest_goes(tenant: Tenant, service: Api, eva: Recipient, drain: Drain) -> None:
    a_template(tenant)
    words = {"template": "greeting", "content": None, "data": {"name": "Eva Geheim"}}
    for _ in range(2):
        body = {
            "recipient": "eva-77",
            "channels": ["email"],
            **words,
            "digest": {"key": "eva-77", "window": "1h"},
        }
        body.pop("content")
        answer = service.post(f"{NOTIFICATIONS}/send", body)
        assert answer.status_code == 202, answer.json()
    drain()
    finish(erase(tenant))
    assert set(Notification.objects.values_list("status", flat=True)) == {"canceled"}


def test_by_address(
    tenant: Tenant, service: Api, eva: Recipient, accounts: Any, drain: Drain, admin_client: Client
) -> None:
    gone = [
        send(service, recipient={"email": "Guest@Example.com"})["id"],
        send(service, recipient={"phone": "+15005550199"}, channels=["sms"])["id"],
    ]
    kept = send(service, recipient="eva-77")["id"]
    drain()
    headers = {"X-Tenant": tenant.slug}
    for body in ({"email": "guest@example.com"}, {"phone": "(500) 555-0199"}):
        answer = admin_client.post(
            "/api/v1/admin/erase", body, content_type="application/json", headers=headers
        )
        assert answer.status_code == 202, answer.json()
        assert answer.json()["recipients"] == []
        assert answer.json()["asked_by"] == "operator admin"
        assert finish(Erasure.objects.get(pk=answer.json()["id"])).counts["notifications"] == 1
    for id in gone:
        assert not Delivery.objects.filter(notification_id=id).exclude(address="").exists()
    assert "guest@example.com" not in everything().lower()
    body = {"email": EVA["email"].lower()}
    answer = admin_client.post("/api/v1/admin/erase", body, content_type="application/json", headers=headers)
    assert answer.json()["recipients"] == [{"type": "user", "id": "eva-77"}]
    finish(Erasure.objects.get(pk=answer.json()["id"]))
    assert Notification.objects.get(pk=kept).recipient_external_id == "eva-77"


@pytest.mark.parametrize(
    "body", [{}, {"email": "x"}, {"phone": "1"}, {"email": "a@b.de", "phone": "+15005550199"}]
)
def test_by_address_it_refuses_what_is_none(
    tenant: Tenant, admin_client: Client, body: dict[str, str]
) -> None:
    headers = {"X-Tenant": tenant.slug}
    answer = admin_client.post("/api/v1/admin/erase", body, content_type="application/json", headers=headers)
    assert answer.status_code == 400
    viewer = staff("preferences.view_recipient")
    answer = viewer.post("/api/v1/admin/erase", body, content_type="application/json", headers=headers)
    assert answer.status_code == 403


def test_it_asks_for_a_scope(tenant: Tenant, service: Api, eva: Recipient) -> None:
    reader = api(create_api_key(tenant, ["recipients:read", "notifications:read"]))
    assert reader.post(f"{URL}/eva-77/erase").status_code == 403
    row = service.post(f"{URL}/eva-77/erase").json()
    stranger = api(create_api_key(create_tenant(slug="other")))
    assert stranger.get(f"/api/v1/services/erasures/{row['id']}").status_code == 404
