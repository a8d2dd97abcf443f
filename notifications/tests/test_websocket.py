"""`/ws/notifications/`, in a real web process, through a Valkey that may go away."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import pytest
from pytest_django import DjangoDbBlocker, Settings
from websockets.exceptions import ConnectionClosed

from config.embedded import Valkey
from delivery.models import Delivery
from notifications.models import Feed, FeedItem
from notifications.realtime.frames import Frame
from notifications.realtime.push import publish
from notifications.tests.feeds import address_of, new_item, tell
from notifications.tests.web import Tab, open_tab, wait_until, web_process
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import api, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = "/api/v1/users/me/notifications"
LIMITS = {"FEED_MAX_FRAME_BYTES": "4096", "FEED_FRAMES_PER_SECOND": "30", "FEED_SOCKETS_PER_RECIPIENT": "3"}


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One that only these tests use, to be stopped and started."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web") / "log"


@pytest.fixture(scope="module")
def web(
    valkey: Valkey, log: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    with web_process(log, REDIS_URL=valkey.url, **LIMITS) as address:
        yield address
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(autouse=True)
def pushed_through(valkey: Valkey, settings: Settings) -> None:
    settings.REDIS_URL = valkey.url


@pytest.fixture
def ann() -> Recipient:
    return create_recipient(create_tenant(), external_id="ann")


def token_of(recipient: Recipient) -> str:
    return mint_recipient_token(recipient.tenant, recipient.external_id, recipient.type)[0]


@contextmanager
def connected(web: str, recipient: Recipient) -> Iterator[Tab]:
    with open_tab(web, token_of(recipient)) as tab:
        assert tab.next()["type"] == "connected"
        yield tab


def tell_one(recipient: Recipient) -> UUID:
    item = new_item(recipient)
    tell(recipient, item)
    return item.id


def test_it_works(web: str, ann: Recipient) -> None:
    tell_one(ann)
    with open_tab(web, token_of(ann)) as tab:
        assert tab.socket.subprotocol == "carillon.v1"
        assert tab.next() == {"type": "connected", "data": {"recipient": "ann", "unread_count": 1, "seq": 1}}
        item = new_item(ann, title="<script>alert(1)</script>\tand\nmore")
        tell(ann, item)
        frame = tab.next()
        shown = api(token_of(ann)).get(f"/api/v1/users/me/notifications/{item.id}").json()
        assert frame == {"type": "notification:new", "seq": 2, "data": shown}


def test_it_pushes_a_chunk_in_order(web: str, ann: Recipient) -> None:
    bob = create_recipient(ann.tenant)
    with connected(web, ann) as tab:
        tell(ann, *(new_item(person) for person in (ann, bob) * 100))
        assert [tab.next()["seq"] for _ in range(100)] == list(range(1, 101))


def test_it_takes_the_token_in_the_query_or_in_the_first_frame(web: str, ann: Recipient) -> None:
    with open_tab(web, query=f"?token={token_of(ann)}") as tab:
        assert tab.next()["type"] == "connected"
    with open_tab(web) as tab:
        tab.say("authenticate", token=token_of(ann))
        assert tab.next()["type"] == "connected"
        tab.say("ping")
        assert tab.next() == {"type": "pong"}


def test_no_query_reaches_the_log(web: str, log: Path, ann: Recipient) -> None:
    token = token_of(ann)
    with open_tab(web, query=f"?token={token}") as tab:
        tab.hear("connected")
    with urlopen(f"http://{web}/health?token={token}"):
        wait_until(lambda: "GET /health HTTP" in log.read_text(), "the request is logged")
    assert '"WebSocket /ws/notifications/" [accepted]' in log.read_text()
    assert token not in log.read_text()


@pytest.mark.parametrize("offer", ["subprotocol", "query", "frame"])
def test_it_refuses_a_token_that_is_not_good(web: str, ann: Recipient, offer: str) -> None:
    stranger = create_recipient(create_tenant(is_active=False))
    good = token_of(ann)
    for token in ("nonsense", good[:-4] + "AAAA", token_of(stranger)):
        protocol = token if offer == "subprotocol" else None
        with open_tab(web, protocol, query=f"?token={token}" if offer == "query" else "") as tab:
            if offer == "frame":
                tab.say("authenticate", token=token)
            assert tab.closed() == 4401


def test_it_refuses_other_frames_before_a_token(web: str, ann: Recipient) -> None:
    with open_tab(web) as tab:
        tab.say("resume", {"after": 0})
        assert tab.closed() == 4401


def test_it_waits_five_seconds_for_a_token(web: str) -> None:
    with open_tab(web) as tab:
        assert tab.closed() == 4401


def test_it_closes_when_the_token_expires(web: str, ann: Recipient, settings: Settings) -> None:
    settings.RECIPIENT_TOKEN_SECONDS = 2
    with connected(web, ann) as tab:
        assert tab.closed() == 4401
    settings.RECIPIENT_TOKEN_SECONDS = -1
    with open_tab(web, token_of(ann)) as tab:
        assert tab.closed() == 4401


_ACTS = (
    *(("seen", 4), ("clicked", 4), ("read", 3), ("unread", 4), ("archive", 3), ("unarchive", 4)),
    ("delete", 3),
)


def test_it_stays_with_a_newer_token(web: str, ann: Recipient, settings: Settings) -> None:
    settings.RECIPIENT_TOKEN_SECONDS = 3
    with connected(web, ann) as stays, connected(web, ann) as goes:
        settings.RECIPIENT_TOKEN_SECONDS = 600
        token, expires_at = mint_recipient_token(ann.tenant, ann.external_id, ann.type)
        stays.say("authenticate", token=token, ref="a")
        heard = stays.next()
        assert (heard["type"], heard["ref"]) == ("authenticated", "a")
        assert dt.datetime.fromisoformat(heard["data"]["expires_at"]) == expires_at
        assert goes.closed() == 4401
        stays.say("ping")
        assert stays.next() == {"type": "pong"}


def test_it_becomes_nobody_else(web: str, ann: Recipient) -> None:
    others = [
        create_recipient(ann.tenant),
        create_recipient(create_tenant(), external_id="ann"),
        create_recipient(ann.tenant, external_id="ann", type="service"),
    ]
    with connected(web, ann) as tab:
        for token in ("nonsense", None, *map(token_of, others)):
            tab.say("authenticate", token=token, ref="a")
            frame = tab.next()
            code = "permission_denied" if token and "." in token else "not_authenticated"
            assert (frame["type"], frame["data"]["code"], frame["ref"]) == ("error", code, "a")
        for other in others:
            tell_one(other)
        tell_one(ann)
        assert tab.next()["seq"] == 1
        tab.say("resume", {"after": 0})
        assert [tab.hear("notification:new")["seq"], tab.next()["data"]["count"]] == [1, 1]


def test_it_keeps_two_tabs_in_step(web: str, ann: Recipient) -> None:
    ids = [tell_one(ann) for _ in range(4)]
    with connected(web, ann) as one, connected(web, ann) as two:
        for what, unread in _ACTS:
            one.say(f"notification:{what}", {"id": ids[0]}, ref=what)
            heard = one.hear(f"notification:{what}-acknowledged")
            assert (heard["ref"], heard["data"]) == (what, {"ids": [str(ids[0])], "unread_count": unread})
            expected = {"id": str(ids[0]), "unread_count": unread}
            assert two.hear(f"notification:{what}")["data"] == expected
        one.say("notification:received", {"id": ids[1]})
        expected = {"id": str(ids[1]), "status": "delivered", "unread_count": 3}
        assert two.hear("notification:status")["data"] == expected
        two.say("notification:read-all", ref=7)
        heard = two.hear("notification:read-all-acknowledged")
        assert (heard["ref"], heard["data"]["unread_count"], len(heard["data"]["ids"])) == (7, 0, 3)
        assert one.hear("notification:read-all")["data"] == {"up_to": 4, "unread_count": 0}


def test_it_hears_what_the_api_did(web: str, ann: Recipient) -> None:
    ids = [str(tell_one(ann)) for _ in range(2)]
    with connected(web, ann) as tab:
        client = api(token_of(ann))
        client.patch(f"/api/v1/users/me/notifications/{ids[0]}/read")
        assert tab.next() == {"type": "notification:read", "data": {"id": ids[0], "unread_count": 1}}
        client.delete(f"/api/v1/users/me/notifications/{ids[1]}")
        assert tab.next() == {"type": "notification:delete", "data": {"id": ids[1], "unread_count": 0}}


def test_it_marks_delivered_what_a_client_received(web: str, ann: Recipient) -> None:
    item = new_item(ann)
    delivery = Delivery.objects.create(
        tenant_id=ann.tenant_id,
        notification_id=item.id,
        recipient_id=ann.pk,
        category="transactional",
        priority=6,
        status="sent",
        routes=[["in_app", str(ann.pk)]],
        channel="in_app",
        address=str(ann.pk),
        locale="en",
        payload={},
        unknown_policy="resend",
    )
    with connected(web, ann) as tab:
        tell(ann, item)
        assert tab.next()["data"]["status"] == "sent"
        tab.say("notification:received", {"ids": [item.id]}, ref="a")
        heard = tab.hear("notification:received-acknowledged")
        assert (heard["type"], heard["ref"]) == ("notification:received-acknowledged", "a")
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_it_resumes(web: str, ann: Recipient) -> None:
    for _ in range(4):
        tell_one(ann)
    with connected(web, ann) as tab:
        tab.say("resume", {"after": 2}, ref="r")
        assert [tab.next()["seq"] for _ in range(2)] == [3, 4]
        done = {"type": "notifications:catch-up-complete", "data": {"count": 2, "more": False}, "ref": "r"}
        assert tab.next() == done
        assert tab.next() == {"type": "unread-count", "data": {"count": 4}}


def test_it_resumes_in_parts(web: str, ann: Recipient) -> None:
    tell(ann, *(new_item(ann) for _ in range(501)))
    with connected(web, ann) as tab:
        tab.say("resume", {"after": 0})
        assert tab.hear("notifications:catch-up-complete")["data"] == {"count": 500, "more": True}
        tab.say("resume", {"after": 500})
        assert tab.hear("notification:new")["seq"] == 501
        assert tab.hear("notifications:catch-up-complete")["data"] == {"count": 1, "more": False}


def test_it_leafs_through_the_history(web: str, ann: Recipient) -> None:
    ids = [tell_one(ann) for _ in range(5)]
    with connected(web, ann) as tab:
        tab.say("notification:archive", {"id": ids[3]})
        tab.say("notification:history", {"limit": 2}, ref="a")
        first = tab.hear("notification:history")
        assert (first["ref"], [item["seq"] for item in first["data"]["results"]]) == ("a", [5, 3])
        tab.say("notification:history", {"before": first["data"]["next"]})
        second = tab.hear("notification:history")["data"]
        assert ([item["seq"] for item in second["results"]], second["next"]) == ([2, 1], None)
        assert second["results"][0] == api(token_of(ann)).get(f"{ITEMS}/{ids[1]}").json()


def test_it_heals_its_count_when_somebody_connects(web: str, ann: Recipient) -> None:
    tell_one(ann)
    with connected(web, ann) as tab:
        Feed.objects.update(unread=5)
        with open_tab(web, token_of(ann)) as another:
            assert another.next()["data"]["unread_count"] == 1
        assert tab.next() == {"type": "unread-count", "data": {"count": 1}}


def test_it_resumes_with_the_unread_ones(web: str, ann: Recipient) -> None:
    ids = [tell_one(ann) for _ in range(3)]
    with connected(web, ann) as tab:
        tab.say("notification:read", {"id": ids[1]})
        tab.say("resume")
        assert [tab.hear("notification:new")["seq"] for _ in range(2)] == [1, 3]
        assert tab.hear("notifications:catch-up-complete")["data"]["count"] == 2
        tab.say("unread-count", ref=1)
        assert tab.hear("unread-count")["data"] == {"count": 2}
        assert tab.next() == {"type": "unread-count", "data": {"count": 2}, "ref": 1}


def test_it_reaches_whom_nobody_knew_when_they_connected(web: str) -> None:
    tenant = create_tenant()
    with connected(web, Recipient(tenant=tenant, external_id="later")) as tab:
        tab.say("resume", {"after": 0})
        assert tab.next()["data"]["count"] == 0
        tab.hear("unread-count")
        later = create_recipient(tenant, external_id="later")
        told = tell_one(later)
        assert tab.next()["data"]["id"] == str(told)
        tab.say("notification:read", {"id": told})
        assert tab.hear("notification:read-acknowledged")["data"]["unread_count"] == 0


def test_it_reaches_nobody_else(web: str, ann: Recipient) -> None:
    told = tell_one(ann)
    others = [
        create_recipient(ann.tenant),
        create_recipient(create_tenant(), external_id="ann"),
        create_recipient(ann.tenant, external_id="ann", type="service"),
    ]
    tell_one(ann)
    before = rows_of(ann)
    for other in others:
        with connected(web, other) as tab:
            for what in ("received", *dict(_ACTS)):
                tab.say(f"notification:{what}", {"id": told}, ref=what)
                assert tab.next()["data"] == {"ids": [], "unread_count": 0}
            tab.say("notification:read-all")
            assert tab.next()["data"] == {"ids": [], "unread_count": 0}
            tab.say("resume", {"after": 0})
            assert tab.next()["data"] == {"count": 0, "more": False}
            tab.say("notification:history", {"before": 99})
            assert tab.hear("notification:history")["data"] == {"results": [], "next": None}
    assert rows_of(ann) == before


def rows_of(recipient: Recipient) -> list[dict[str, Any]]:
    feed = Feed.objects.filter(recipient_id=recipient.pk).values()
    items = FeedItem.objects.filter(recipient_id=recipient.pk).order_by("pk").values()
    return [{**row} for row in (*feed, *items)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "not_json"),
        ("", "not_json"),
        ("[" * 2000, "not_json"),
        ("[]", "validation_error"),
        ("{}", "validation_error"),
        ('{"type":1}', "validation_error"),
        ('{"type":"ping","extra":1}', "validation_error"),
        ('{"type":"ping","data":[]}', "validation_error"),
        ('{"type":"shout"}', "unknown_type"),
        ('{"type":"notification:read"}', "validation_error"),
        ('{"type":"notification:read","data":{"id":"1"}}', "validation_error"),
        ('{"type":"notification:read","data":{"ids":[]}}', "validation_error"),
        ('{"type":"notification:read-all","data":{"id":1}}', "validation_error"),
        ('{"type":"resume","data":{"after":-1}}', "validation_error"),
        ('{"type":"notification:history","data":{"limit":101}}', "validation_error"),
        ('{"type":"notification:history","data":{"before":"now"}}', "validation_error"),
        ('{"type":"resume","data":{"after":9223372036854775808}}', "validation_error"),
        ('{"type":"ping","ref":"' + "x" * 5000 + '"}', "too_large"),
        (b"\x00\xff", "not_json"),
    ],
)
def test_it_stays_after_a_bad_frame(web: str, ann: Recipient, text: str | bytes, code: str) -> None:
    with connected(web, ann) as tab:
        tab.socket.send(text)
        frame = tab.next()
        assert (frame["type"], frame["data"]["code"]) == ("error", code)
        assert frame["data"]["detail"]
        tab.say("ping", ref="still here")
        assert tab.next() == {"type": "pong", "ref": "still here"}


def test_it_says_which_frame_was_bad(web: str, ann: Recipient) -> None:
    with connected(web, ann) as tab:
        tab.say("shout", ref="a")
        assert tab.next()["ref"] == "a"
        tab.say("resume", {"after": "now"}, ref=2)
        frame = tab.next()
        assert (frame["ref"], frame["data"]["code"]) == (2, "validation_error")
        assert frame["data"]["detail"].startswith("after: ")


def test_it_closes_on_a_flood(web: str, ann: Recipient) -> None:
    with connected(web, ann) as tab:
        for _ in range(100):
            tab.say("ping")
        assert tab.closed() == 4429
    with connected(web, ann) as tab:
        tab.say("ping")
        assert tab.next() == {"type": "pong"}


def test_it_limits_the_sockets_of_a_recipient(web: str, ann: Recipient) -> None:
    with connected(web, ann), connected(web, ann), connected(web, ann) as last:
        with open_tab(web, token_of(ann)) as one_more:
            assert one_more.closed() == 4429
        last.socket.close()
        wait_until(lambda: may_connect(web, ann), "the server has noticed")
        with connected(web, create_recipient(ann.tenant)):
            pass


def may_connect(web: str, recipient: Recipient) -> bool:
    with open_tab(web, token_of(recipient)) as tab:
        try:
            return bool(tab.next()["type"] == "connected")
        except ConnectionClosed:
            return False


def test_it_goes_on_after_valkey_was_away(web: str, ann: Recipient, valkey: Valkey) -> None:
    with connected(web, ann) as tab:
        told = tell_one(ann)
        assert tab.next()["seq"] == 1
        valkey.kill()
        tell_one(ann)
        tab.say("notification:read", {"id": told})
        assert tab.next()["data"]["unread_count"] == 1
        with connected(web, ann) as meanwhile:
            valkey.start()
            for each in (tab, meanwhile):
                assert each.hear("error")["data"]["code"] == "feed_interrupted"
                each.say("resume", {"after": 1})
                assert each.next()["seq"] == 2
                each.hear("unread-count")
            tell_one(ann)
            assert tab.next()["seq"] == meanwhile.next()["seq"] == 3


def test_it_lets_a_slow_reader_go_and_holds_up_nobody(web: str, ann: Recipient) -> None:
    chunk = [Frame(address_of(ann), "notification:new", {"body": "x" * 16_000})] * 200
    with connected(web, ann) as quick, open_tab(web, token_of(ann), max_queue=1) as slow:
        assert slow.next()["type"] == "connected"
        for _ in range(10):
            publish(chunk)
            for _ in chunk:
                assert quick.next()["type"] == "notification:new"
        assert slow.closed() == 4408
