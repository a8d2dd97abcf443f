"""Events that are told together: they join, the digest closes and is told, and they share its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from delivery.models import Delivery
from delivery.tests.factories import create_smtp
from notifications import digest_closing, planning
from notifications.digests import Event, decide
from notifications.ledger import ledger
from notifications.models import Digest, Intake, Notification, Priority
from notifications.tests.calls import NOTIFICATIONS, look
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from templates_app import catalog
from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.tests.factories import create_published, create_template, operator
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]

SUBJECT = "{% if count == 1 %}{{ items[0].who }} commented{% else %}{{ total }} comments{% endif %}"
BODY = "{% for item in items %}{{ item.who }}: {{ item.text }}\n{% endfor %}" + (
    "{% if total > count %}and {{ total - count }} more{% endif %}"
)
SAMPLE = {"items": [{"who": "Bob", "text": "Hi", "at": "2026-05-01T08:00:00Z"}], "count": 1, "total": 1}


@pytest.fixture
def comments(tenant: Tenant) -> TemplateVersion:
    email = Draft("email", "en", {"subject": SUBJECT, "body": BODY, "html": f"<p>{BODY}</p>"})
    template = create_template(tenant, "comments", digest={"window": "10m"})
    return create_published(tenant, email, sample_data=SAMPLE, template=template)


def event(text: str = "Nice", who: str = "Bob", **over: Any) -> dict[str, Any]:
    data = {"who": who, "text": text}
    return {"recipient": "ann", "template": "comments", "channels": ["email"], "data": data, **over}


def send(service: Api, **over: Any) -> str:
    answer = service.post(f"{NOTIFICATIONS}/send", event(**over))
    assert answer.status_code == 202, answer.json()
    id: str = answer.json()["id"]
    return id


def close() -> int:
    """Close what is open as if its window were over."""
    Digest.objects.filter(closed_at=None).update(closes_at=timezone.now())
    return digest_closing.close_due(now=timezone.now())


def statuses(service: Api, ids: Sequence[str]) -> list[str]:
    return [look(service, id)["status"] for id in ids]


def test_it_works(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, comments: TemplateVersion
) -> None:
    create_smtp(tenant, sandbox)
    ids = [send(service, text=text, who=who) for text, who in (("Nice", "Bob"), ("Where?", "Cho"))]
    drain()
    digest = Digest.objects.get()
    waiting = look(service, ids[0])
    assert (waiting["status"], waiting["reason"]) == ("processing", f"digest:{digest.pk}")
    assert [step["decision"] for step in waiting["trace"] if step["step"] == "digest"] == ["join"]
    assert waiting["digest"]["events"] == ids
    assert (waiting["digest"]["key"], waiting["digest"]["closed_at"]) == ("comments", None)
    assert digest.closes_at - digest.opened_at == dt.timedelta(minutes=10)
    assert ledger(tenant.pk).balanced

    assert digest_closing.close_due(now=digest.closes_at - dt.timedelta(seconds=1)) == 0
    assert digest_closing.close_due(now=digest.closes_at) == 1
    assert ledger(tenant.pk).balanced
    drain()
    (mail,) = sandbox.messages()
    assert mail["subject"] == "2 comments"
    assert "Bob: Nice" in mail["text"]
    assert mail["text"].index("Bob: Nice") < mail["text"].index("Cho: Where?")
    assert statuses(service, ids) == ["sent", "sent"]
    telling = look(service, look(service, ids[0])["digest"]["notification_id"])
    assert (telling["status"], telling["template"], telling["digest"]["events"]) == ("sent", "comments", ids)
    assert [step["reason"] for step in telling["trace"] if step["step"] == "digest"] == [
        f"event:{id}" for id in ids
    ]
    assert look(service, ids[1])["trace"][-1]["reason"] == f"notification:{telling['id']}"
    assert {*ledger(tenant.pk).became.items()} == {("sent", 3)}
    assert ledger(tenant.pk).balanced
    listed = service.get(NOTIFICATIONS, {"digest": str(digest.pk)}).json()["results"]
    assert {item["id"] for item in listed} == set(ids)


NOW = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({}, "joins"),
        ({"window": "held"}, "not_held"),
        ({"window": None}, "not_wanted"),
        ({"priority": Priority.URGENT}, "urgent"),
        ({"recipient_external_id": ""}, "no_recipient_id"),
        ({"expires_at": NOW + dt.timedelta(minutes=10)}, "expires_before_digest"),
        ({"expires_at": NOW + dt.timedelta(minutes=11)}, "joins"),
    ],
)
def test_it_decides(over: dict[str, Any], reason: str) -> None:
    plain = {"recipient_type": "user", "recipient_external_id": "ann", "is_test": False, "key": "k"}
    how = {"window": "10m", "timezone": "UTC", "priority": Priority.NORMAL, "expires_at": None}
    found = decide(Event(**{"id": uuid4(), **plain, **how, **over}), now=NOW)
    assert (found.reason, found.closes_at is not None) == (reason, reason == "joins")


def test_one_event_reads_naturally_in_a_digest_and_at_once(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, comments: TemplateVersion
) -> None:
    create_smtp(tenant, sandbox)
    at_once = [
        send(service, digest=False),
        send(service, priority="urgent"),
        send(service, expires_in=60),
        send(service, recipient={"email": "guest@example.com"}),
    ]
    in_digest = send(service)
    drain()
    close()
    drain()
    assert [mail["subject"] for mail in sandbox.messages()] == ["Bob commented"] * 5
    assert statuses(service, [*at_once, in_digest]) == ["sent"] * 5
    why = [[s["reason"] for s in look(service, id)["trace"] if s["step"] == "digest"] for id in at_once]
    assert why == [["not_wanted"], ["urgent"], ["expires_before_digest"], ["no_recipient_id"]]
    assert look(service, at_once[0])["digest"] is None


def test_it_lists_the_newest_and_counts_all(
    tenant: Tenant,
    service: Api,
    sandbox: RunningSandbox,
    drain: Drain,
    comments: TemplateVersion,
    settings: LazySettings,
) -> None:
    settings.NOTIFICATION_DIGEST_ITEMS = 2
    create_smtp(tenant, sandbox)
    items = [event(text=f"no {n}") for n in range(5)]
    batch = service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": items}).json()
    drain()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        close()
    assert len(captured) < 16
    drain()
    (mail,) = sandbox.messages()
    assert mail["subject"] == "5 comments"
    assert [n for n in range(5) if f"no {n}" in mail["text"]] == [3, 4]
    assert "and 3 more" in mail["text"]
    told = Notification.objects.get(is_digest=True)
    assert told.trace[0]["reason"] == "3 earlier events"
    found = service.get(f"{NOTIFICATIONS}/batches/{batch['batch_id']}").json()
    assert (found["status"], found["counts"]) == ("completed", {"sent": 5})


@pytest.mark.parametrize("workers", ["the same chunk", "two workers"])
def test_events_of_one_instant_share_a_digest(
    tenant: Tenant, service: Api, comments: TemplateVersion, workers: str
) -> None:
    ids = [UUID(send(service)) for _ in range(8)]
    chunks = [ids] * 4 if workers == "the same chunk" else [ids[:2], ids[2:4], ids[4:6], ids[6:]]
    start = Barrier(4)

    def plan(chunk: Sequence[UUID]) -> None:
        start.wait(timeout=10)
        planning.plan(tenant.pk, chunk)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(plan, chunks))
    digest = Digest.objects.get()
    assert set(Notification.objects.values_list("digest_id", flat=True)) == {digest.pk}


def test_two_beats_close_once_and_newcomers_open_another(
    tenant: Tenant, service: Api, drain: Drain, comments: TemplateVersion
) -> None:
    """Four close while four plan: every event is in one digest, each closed one was told once."""
    for _ in range(6):
        send(service)
    drain()
    Digest.objects.update(closes_at=timezone.now())
    late = [UUID(send(service)) for _ in range(4)]
    start = Barrier(8)

    def work(place: int) -> None:
        start.wait(timeout=10)
        if place < 4:
            planning.plan(tenant.pk, [late[place]])
        else:
            digest_closing.close_due(now=timezone.now())
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    close()
    tellings = Notification.objects.filter(is_digest=True)
    assert (
        tellings.count() == Digest.objects.count() == Digest.objects.filter(closed_at__isnull=False).count()
    )
    assert sum(telling.data["total"] for telling in tellings) == 10
    assert Intake.objects.filter(accepted=1).count() == 10 + tellings.count()
    drain()
    assert ledger(tenant.pk).balanced


def test_a_worker_that_dies_has_closed_nothing(
    tenant: Tenant, service: Api, drain: Drain, comments: TemplateVersion
) -> None:
    send(service)
    drain()
    Digest.objects.update(closes_at=timezone.now())
    with connection.cursor() as cursor:  # its telling cannot be stored
        cursor.execute("ALTER TABLE notifications_notification ADD CONSTRAINT dies CHECK (NOT is_digest)")
    try:
        assert digest_closing.close_due(now=timezone.now()) == 0
        assert Digest.objects.get().closed_at is None
        assert ledger(tenant.pk).balanced
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE notifications_notification DROP CONSTRAINT dies")
    assert digest_closing.close_due(now=timezone.now()) == 1


def test_what_is_canceled_or_over_leaves(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, comments: TemplateVersion
) -> None:
    create_smtp(tenant, sandbox)
    canceled, over, told = send(service), send(service, expires_in=3600), send(service, text="Still here")
    drain()
    assert service.delete(f"{NOTIFICATIONS}/{canceled}").status_code == 204
    assert look(service, told)["digest"]["total"] == 2
    Notification.objects.filter(pk=over).update(expires_at=timezone.now())
    close()
    assert service.delete(f"{NOTIFICATIONS}/{told}").status_code == 409  # it is in the message now
    drain()
    assert statuses(service, [canceled, over, told]) == ["canceled", "expired", "sent"]
    assert look(service, over)["digest"] is None
    assert sandbox.messages()[0]["subject"] == "Bob commented"
    assert ledger(tenant.pk).balanced


def test_a_digest_that_all_left_tells_nothing(
    tenant: Tenant, service: Api, drain: Drain, comments: TemplateVersion
) -> None:
    """They were canceled, or their time was over: the digest, which names its recipient, is not kept."""
    canceled = send(service)
    drain()
    service.delete(f"{NOTIFICATIONS}/{canceled}")
    assert not Digest.objects.exists()
    over = send(service, expires_in=3600)
    drain()
    Notification.objects.filter(pk=over).update(expires_at=timezone.now())
    assert close() == 1
    assert not Digest.objects.exists()
    assert statuses(service, [canceled, over]) == ["canceled", "expired"]
    assert not Notification.objects.filter(is_digest=True).exists()
    send(service)
    drain()
    assert Digest.objects.filter(closed_at=None).count() == 1
    assert ledger(tenant.pk).balanced


def test_its_events_share_whatever_becomes_of_it(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, comments: TemplateVersion
) -> None:
    """Preferences and deadlines are asked when it closes; a canceled digest takes its events with it."""
    create_recipient(tenant, external_id="bob", email="bob@example.com")
    create_recipient(tenant, external_id="cho", email="cho@example.com")
    ids = [send(service, recipient=who, expires_in=3600) for who in ("ann", "bob", "cho")]
    drain()
    Recipient.objects.filter(external_id="bob").update(email="")
    close()
    ann = Notification.objects.get(is_digest=True, recipient_external_id="ann")
    assert ann.expires_at is not None
    Notification.objects.filter(pk=ann.pk).update(expires_at=timezone.now())
    cho = Notification.objects.get(is_digest=True, recipient_external_id="cho")
    assert service.delete(f"{NOTIFICATIONS}/{cho.pk}").status_code == 204
    drain()
    assert statuses(service, ids) == ["expired", "failed", "canceled"]
    assert ledger(tenant.pk).balanced


def test_it_keeps_apart_keys_recipients_tenants_and_tests(
    tenant: Tenant, service: Api, drain: Drain, comments: TemplateVersion
) -> None:
    create_recipient(tenant, external_id="bob", email="bob@example.com")
    for over in ({}, {"digest": {"window": "1h", "key": "post-1"}}, {"recipient": "bob"}):
        send(service, **over)
        send(service, **over)
    send(api(create_api_key(tenant, mode="test")))
    drain()
    found = Digest.objects.values_list("key", "recipient_external_id", "is_test").order_by("id")
    assert set(found) == {
        ("comments", "ann", False),
        ("post-1", "ann", False),
        ("comments", "bob", False),
        ("comments", "ann", True),
    }
    assert Notification.objects.filter(digest_id=Digest.objects.get(key="post-1").pk).count() == 2
    assert not Digest.objects.filter(tenant=create_tenant()).exists()


def test_the_shortest_window_closes_it_in_the_recipients_time(
    tenant: Tenant, service: Api, drain: Drain, comments: TemplateVersion
) -> None:
    Recipient.objects.update(timezone="Asia/Kathmandu")  # UTC+05:45
    send(service, digest={"window": "weekly mon 09:00"})
    drain()
    monday = Digest.objects.get().closes_at
    assert (monday.weekday(), f"{monday:%H:%M}") == (0, "03:15")
    send(service, digest={"window": "10m"})
    send(service, digest={"window": "daily 09:00"})
    drain()
    assert Digest.objects.get().closes_at < timezone.now() + dt.timedelta(minutes=11)


def test_explain_says_what_it_would_join_and_how_that_would_read(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, comments: TemplateVersion
) -> None:
    create_smtp(tenant, sandbox)
    first = service.post(f"{NOTIFICATIONS}/explain", event()).json()
    assert (first["digest"]["id"], first["digest"]["total"]) == (None, 1)
    send(service)
    drain()
    digest = Digest.objects.get()
    found = service.post(f"{NOTIFICATIONS}/explain", event()).json()
    assert (found["digest"]["id"], found["digest"]["total"]) == (str(digest.pk), 2)
    assert dt.datetime.fromisoformat(found["digest"]["closes_at"]) == digest.closes_at
    assert found["digest"]["plan"] == {"status": "processing", "reason": ""}
    assert found["deliveries"][0]["routes"][0]["content"]["subject"] == "2 comments"
    assert found["plan"]["reason"] == f"digest:{digest.pk}"
    digest.refresh_from_db()
    assert (digest.closed_at, Delivery.objects.count(), Notification.objects.count()) == (None, 0, 1)


@pytest.mark.parametrize(
    ("over", "code", "pointer"),
    [
        ({"digest": {"window": "monthly"}}, "unknown_window", "/digest/window"),
        ({"digest": {"key": "k"}}, "missing", "/digest/window"),
        ({"digest": {"window": "10m", "key": ""}}, "string_too_short", "/digest/key"),
        ({"digest": {"window": "10m", "until": 3}}, "unknown_field", "/digest/until"),
        ({"digest": True}, "literal_error", "/digest"),
        ({"digest": "10m"}, "model_type", "/digest"),
        (
            {"digest": {"window": "10m"}, "template": None, "data": {}, "content": {"body": "Hi"}},
            "digest_without_template",
            "/digest",
        ),
        (
            {"digest": {"window": "10m"}, "recipient": {"email": "a@example.com"}},
            "digest_without_recipient_id",
            "/digest",
        ),
    ],
)
def test_it_refuses(
    service: Api, comments: TemplateVersion, over: dict[str, Any], code: str, pointer: str
) -> None:
    answer = service.post(f"{NOTIFICATIONS}/send", event(**over))
    assert answer.status_code in {400, 422}, answer.json()
    assert [(e["code"], e["pointer"]) for e in answer.json()["errors"]] == [(code, pointer)]
    batch = service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": [event(), event(**over)]}).json()
    assert batch["accepted"] == 1
    assert [(r["code"], r["pointer"]) for r in batch["rejected"]] == [(code, f"/notifications/1{pointer}")]


def test_only_what_a_digest_gives_may_be_missing(tenant: Tenant, service: Api) -> None:
    words = Draft("email", "en", {"subject": "{{ post }}: {{ count }}", "body": "{{ items }}"})
    sample = {"post": "A", "count": 1, "items": []}
    create_published(tenant, words, sample_data=sample, template=create_template(tenant, "posts"))
    wanted: dict[str, Any] = {"template": "posts", "data": {}}
    plain = service.post(f"{NOTIFICATIONS}/send", event(**wanted)).json()
    assert {e["pointer"] for e in plain["errors"]} == {"/data/post", "/data/count", "/data/items"}
    told = service.post(f"{NOTIFICATIONS}/send", event(**wanted, digest={"window": "1h"})).json()
    assert [e["pointer"] for e in told["errors"]] == ["/data/post"]


def test_an_idempotent_request_joins_once(service: Api, drain: Drain, comments: TemplateVersion) -> None:
    for _ in range(2):
        service.post(f"{NOTIFICATIONS}/send", event(), headers={"Idempotency-Key": "once"})
    drain()
    assert Notification.objects.filter(digest_id=Digest.objects.get().pk).count() == 1


def test_operators_say_that_a_template_is_told_together(tenant: Tenant, comments: TemplateVersion) -> None:
    client = operator(tenant)
    url = "/api/v1/admin/templates"
    made = client.post(url, {"code": "likes", "name": "Likes", "digest": {"window": "daily 08:30"}})
    assert made.json()["digest"] == {"window": "daily 08:30", "key": None}
    refused = client.patch(f"{url}/likes", {"digest": {"window": "hourly"}})
    assert [(e["code"], e["pointer"]) for e in refused.json()["errors"]] == [
        ("unknown_window", "/digest/window")
    ]
    assert client.patch(f"{url}/likes", {"digest": None}).json()["digest"] is None
    catalog.forget()
