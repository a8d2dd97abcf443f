"""`/api/v1/users/me/notifications`"""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest
import redis
from django.conf import settings
from freezegun import freeze_time

from delivery.models import Delivery
from notifications.mailbox import unread_count
from notifications.realtime.push import CHANNEL
from notifications.tests.feeds import mailbox_of, new_item, tell
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.ids import new_id
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/notifications"


@pytest.fixture
def ann() -> Recipient:
    return create_recipient(create_tenant(), external_id="ann")


def me(recipient: Recipient) -> Api:
    token, _ = mint_recipient_token(recipient.tenant, recipient.external_id, recipient.type)
    return api(token)


def tell_one(recipient: Recipient, **over: Any) -> UUID:
    item = new_item(recipient, **over)
    tell(recipient, item)
    return item.id


def listed(recipient: Recipient, query: str = "") -> list[str]:
    answer = me(recipient).get(f"{URL}?{query}")
    assert answer.status_code == 200, answer.content
    return [item["title"] for item in answer.json()["results"]]


def test_it_works(ann: Recipient) -> None:
    first, second = tell_one(ann, title="One"), tell_one(ann, title="Two")
    answer = me(ann).get(URL)
    assert answer.status_code == 200
    body = answer.json()
    assert [item["id"] for item in body["results"]] == [str(second), str(first)]
    assert body["next"] is None
    assert body["previous"] is None
    assert set(body["results"][0]) == {
        *("id", "seq", "type", "category", "title", "body", "action", "icon", "data"),
        *("status", "created_at", "seen_at", "read_at", "clicked_at", "archived_at"),
    }
    one = me(ann).get(f"{URL}/{first}")
    assert one.json() == body["results"][1]


def test_it_pages_by_the_order_of_arrival(ann: Recipient) -> None:
    ids = sorted((new_id() for _ in range(5)), reverse=True)
    for number, notification_id in enumerate(ids):
        tell_one(ann, id=notification_id, title=str(number))
    page = me(ann).get(f"{URL}?limit=2").json()
    seen = [[item["title"] for item in page["results"]]]
    while page["next"]:
        page = me(ann).get(page["next"]).json()
        seen.append([item["title"] for item in page["results"]])
    assert seen == [["4", "3"], ["2", "1"], ["0"]]
    back = me(ann).get(page["previous"]).json()
    assert [item["title"] for item in back["results"]] == ["2", "1"]


def test_it_filters(ann: Recipient) -> None:
    old, read, archived = (tell_one(ann, title=title) for title in ("old", "read", "archived"))
    tell_one(ann, title="marketing", category="marketing")
    tell_one(ann, title="error", type="error")
    client = me(ann)
    client.patch(f"{URL}/{read}/read")
    client.patch(f"{URL}/{archived}/archive")
    assert listed(ann) == ["error", "marketing", "read", "old"]
    assert listed(ann, "read=true") == listed(ann, "status=delivered") == ["read"]
    assert listed(ann, "read=false") == listed(ann, "status=sent") == ["error", "marketing", "old"]
    assert listed(ann, "archived=true") == ["archived"]
    assert listed(ann, "category=marketing") == ["marketing"]
    assert listed(ann, "type=error&read=false") == ["error"]
    assert listed(ann, "channel=email") == []
    sent_by_email(ann, old)
    assert listed(ann, "channel=email") == ["old"]
    assert len(listed(ann, "channel=in_app")) == 4


def sent_by_email(recipient: Recipient, notification_id: UUID) -> None:
    Delivery.objects.create(
        tenant_id=recipient.tenant_id,
        notification_id=notification_id,
        category="transactional",
        priority=6,
        routes=[["email", recipient.email]],
        channel="email",
        address=recipient.email,
        locale="en",
        payload={},
        unknown_policy="resend",
    )


def test_it_filters_by_time(ann: Recipient) -> None:
    for day in (1, 2, 3):
        tell_one(ann, title=str(day), created_at=dt.datetime(2026, 1, day, tzinfo=dt.UTC))
    assert listed(ann, "from=2026-01-02T00:00:00Z") == ["3", "2"]
    assert listed(ann, "from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z") == ["2"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("read=maybe", "/read"),
        ("type=loud", "/type"),
        ("status=failed", "/status"),
        ("channel=pigeon", "/channel"),
        ("from=yesterday", "/from"),
        ("to=2026-01-02T00:00:00", "/to"),
        ("category=" + "x" * 65, "/category"),
        ("colour=blue", "/colour"),
        ("limit=101", ""),
        ("cursor=nonsense", ""),
    ],
)
def test_it_refuses_queries_that_make_no_sense(ann: Recipient, query: str, pointer: str) -> None:
    answer = me(ann).get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_it_reads_and_unreads(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    client = me(ann)
    read = client.patch(f"{URL}/{notification_id}/read").json()
    assert read["read_at"] == read["seen_at"] is not None
    assert read["status"] == "delivered"
    assert client.get(f"{URL}/unread-count").json() == {"count": 0}
    assert client.patch(f"{URL}/{notification_id}/read").json() == read
    unread = client.patch(f"{URL}/{notification_id}/unread").json()
    assert unread == {**read, "read_at": None}
    assert client.get(f"{URL}/unread-count").json() == {"count": 1}


def test_it_takes_what_was_received_and_seen(ann: Recipient) -> None:
    """From clients without a socket."""
    ids = [str(tell_one(ann)) for _ in range(2)]
    foreign = str(tell_one(create_recipient(ann.tenant, external_id="bob")))
    said = me(ann).post(f"{URL}/received", {"ids": [*ids, foreign]})
    assert (said.status_code, said.json()) == (200, {"changed": 2, "unread_count": 2})
    assert me(ann).post(f"{URL}/received", {"ids": ids}).json()["changed"] == 0
    assert me(ann).post(f"{URL}/seen", {"ids": ids[:1]}).json() == {"changed": 1, "unread_count": 2}
    first, second = (me(ann).get(f"{URL}/{id}").json() for id in ids)
    assert (first["status"], second["status"]) == ("delivered", "delivered")
    assert first["seen_at"]
    assert second["seen_at"] is None
    assert me(ann).post(f"{URL}/seen", {"ids": []}).json()["errors"][0]["pointer"] == "/ids"


def test_it_archives(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    archived = me(ann).patch(f"{URL}/{notification_id}/archive")
    assert archived.status_code == 200
    assert archived.json()["archived_at"] is not None
    assert listed(ann) == []
    assert me(ann).get(f"{URL}/unread-count").json() == {"count": 0}


def test_it_takes_back_from_the_archive(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    me(ann).patch(f"{URL}/{notification_id}/archive")
    restored = me(ann).patch(f"{URL}/{notification_id}/unarchive")
    assert (restored.status_code, restored.json()["archived_at"]) == (200, None)
    assert me(ann).get(f"{URL}/unread-count").json() == {"count": 1}


def test_it_keeps_seen_clicked_and_read_apart(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    client = me(ann)
    seen = client.patch(f"{URL}/{notification_id}/seen").json()
    assert seen["seen_at"] is not None
    assert (seen["status"], seen["clicked_at"], seen["read_at"]) == ("delivered", None, None)
    clicked = client.patch(f"{URL}/{notification_id}/clicked").json()
    assert clicked == {**seen, "clicked_at": clicked["clicked_at"]}
    assert clicked["clicked_at"] > seen["seen_at"]
    assert client.patch(f"{URL}/{notification_id}/clicked").json() == clicked
    assert client.get(f"{URL}/unread-count").json() == {"count": 1}


def test_it_deletes_one(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    client = me(ann)
    assert client.delete(f"{URL}/{notification_id}").status_code == 204
    assert client.delete(f"{URL}/{notification_id}").status_code == 404
    assert client.get(f"{URL}/{notification_id}").status_code == 404
    assert client.patch(f"{URL}/{notification_id}/read").status_code == 404


def test_it_deletes_many(ann: Recipient) -> None:
    ids = [tell_one(ann) for _ in range(3)]
    others = tell_one(create_recipient(ann.tenant))
    answer = me(ann).delete(URL, {"ids": [*ids[:2], others, new_id()]})
    assert (answer.status_code, answer.json()) == (200, {"changed": 2, "unread_count": 1})


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": ["one"]}, {"ids": [str(new_id())] * 1001}, {"all": True}, []]
)
def test_it_refuses_bodies_that_make_no_sense(ann: Recipient, body: Any) -> None:
    tell_one(ann)
    answer = me(ann).delete(URL, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert unread_count(mailbox_of(ann)) == 1


def test_it_marks_all_read(ann: Recipient) -> None:
    for _ in range(3):
        tell_one(ann)
    client = me(ann)
    assert client.post(f"{URL}/mark-all-read").json() == {"changed": 3, "unread_count": 0}
    assert client.post(f"{URL}/mark-all-read").json() == {"changed": 0, "unread_count": 0}


def test_it_shows_stats_and_what_is_pending(ann: Recipient) -> None:
    tell_one(ann, title="new")
    me(ann).patch(f"{URL}/{tell_one(ann)}/read")
    assert me(ann).get(f"{URL}/stats").json() == {
        "total": 2,
        "unread": 1,
        "read": 1,
        "archived": 0,
        "by_type": {"info": 2},
        "by_category": {"transactional": 2},
    }
    pending = me(ann).get(f"{URL}/pending").json()
    assert [item["title"] for item in pending["results"]] == ["new"]


def test_it_hides_what_is_anothers(ann: Recipient) -> None:
    notification_id = tell_one(ann)
    namesake = create_recipient(create_tenant(), external_id="ann")
    robot = create_recipient(ann.tenant, external_id="ann", type="service")
    for other in (create_recipient(ann.tenant), namesake, robot):
        client = me(other)
        assert client.get(URL).json()["results"] == []
        assert client.get(f"{URL}/{notification_id}").status_code == 404
        for change in ("seen", "clicked", "read", "unread", "archive", "unarchive"):
            assert client.patch(f"{URL}/{notification_id}/{change}").status_code == 404
        assert client.delete(f"{URL}/{notification_id}").status_code == 404
        assert client.post(f"{URL}/mark-all-read").json()["changed"] == 0
    assert unread_count(mailbox_of(ann)) == 1


def test_it_is_empty_for_whom_nobody_knows() -> None:
    tenant = create_tenant()
    client = me(Recipient(tenant=tenant, external_id="nobody"))
    assert client.get(URL).json() == {"next": None, "previous": None, "results": []}
    assert client.get(f"{URL}/unread-count").json() == {"count": 0}
    assert not Recipient.objects.filter(tenant=tenant).exists()


def test_it_refuses_who_is_not_a_recipient(ann: Recipient) -> None:
    with freeze_time(dt.datetime.now(dt.UTC) - dt.timedelta(days=1)):
        expired, _ = mint_recipient_token(ann.tenant, "ann", "user")
    for credential in ("", "nonsense", expired, create_api_key(ann.tenant)):
        answer = api(credential).get(URL)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_pages_of_any_origin_may_ask(ann: Recipient) -> None:
    """https://fetch.spec.whatwg.org/#http-cors-protocol: without cookies, and nothing but this API."""
    origin = {"Origin": "https://shop.example"}
    asks = {**origin, "Access-Control-Request-Method": "PATCH"}
    asks |= {"Access-Control-Request-Headers": "authorization,content-type"}
    client = api("")
    preflight = client.options(f"{URL}/mark-all-read", headers=asks)
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (200, "*")
    assert "PATCH" in preflight["Access-Control-Allow-Methods"]
    assert "authorization" in preflight["Access-Control-Allow-Headers"]
    refused = client.get(URL, headers=origin)
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, "*")
    answer = me(ann).get(URL, headers=origin)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Access-Control-Allow-Credentials" not in answer
    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/services/notifications", headers=origin)


@pytest.fixture
def pushed() -> Iterator[redis.client.PubSub]:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as pubsub:
        pubsub.subscribe(CHANNEL)
        assert pubsub.get_message(timeout=5)
        yield pubsub


@pytest.mark.django_db(transaction=True)
def test_it_pushes_what_it_changed(ann: Recipient, pushed: redis.client.PubSub) -> None:
    tell_one(ann)
    ids = [tell_one(ann) for _ in range(5)]
    client = me(ann)
    client.patch(f"{URL}/{ids[0]}/read")
    client.patch(f"{URL}/{ids[0]}/unread")
    client.patch(f"{URL}/{ids[1]}/archive")
    client.delete(f"{URL}/{ids[2]}")
    client.delete(URL, {"ids": ids[3:]})
    client.post(f"{URL}/mark-all-read")
    frames = [frame for frame in frames_of(pushed, 13) if frame["type"] != "notification:new"]
    assert [(frame["type"].partition(":")[2], frame["data"]["unread_count"]) for frame in frames] == [
        *(("read", 5), ("unread", 6), ("archive", 5), ("delete", 4), ("delete", 2), ("delete", 2)),
        ("read-all", 0),
    ]


def frames_of(pubsub: redis.client.PubSub, count: int) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while len(frames) < count:
        message = pubsub.get_message(timeout=5)
        assert message, f"only {len(frames)} of {count} frames came"
        frames += [orjson.loads(frame) for frame in message["data"].split(b"\t")[1:]]
    return frames
