"""`GET /api/v1/users/me/stream`: the live feed as server-sent events, from a real web process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import Request, urlopen

import orjson
import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker, Settings

from config.embedded import Valkey
from notifications import feed
from notifications.realtime.frames import Address, Frame
from notifications.realtime.push import publish
from notifications.tests.event_source import PATH, EventSource, ask, open_stream
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import open_tab, wait_until, web_process
from preferences import presence
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.context import tenant_scope
from tenants.tests.factories import api, create_api_key, create_tenant
from tenants.tests.identity_provider import IdentityProvider, running_provider

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = {"FEED_SOCKETS_PER_RECIPIENT": "2", "FEED_HEARTBEAT_SECONDS": "0.2", "WEB_THREADS": "2"}


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
def provider() -> Iterator[IdentityProvider]:
    """The identity provider of the tenant `people`."""
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def web(
    valkey: Valkey,
    log: Path,
    provider: IdentityProvider,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    issuers = provider.issuer("people")
    with web_process(log, REDIS_URL=valkey.url, OIDC_ISSUERS=issuers, **LIMITS) as address:
        yield address
    assert "Traceback" not in log.read_text(), log.read_text()
    assert "ERROR" not in log.read_text(), log.read_text()


@pytest.fixture(autouse=True)
def pushed_through(valkey: Valkey, settings: Settings) -> None:
    settings.REDIS_URL = valkey.url


@pytest.fixture
def ann() -> Recipient:
    return create_recipient(create_tenant(), external_id="ann")


def token_of(recipient: Recipient) -> str:
    return mint_recipient_token(recipient.tenant, recipient.external_id, recipient.type)[0]


def tell_many(recipient: Recipient, count: int) -> None:
    tell(recipient, *(new_item(recipient) for _ in range(count)))


def test_it_works(web: str, ann: Recipient) -> None:
    tell_many(ann, 1)
    with open_stream(web, token_of(ann)) as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "no-cache, no-transform"
        assert stream.answer.headers["X-Accel-Buffering"] == "no"
        first = stream.next()
        assert (first.type, first.id) == ("connected", "1")
        assert first.data == {"recipient": "ann", "unread_count": 1, "seq": 1}
        assert 1000 <= stream.retry <= 4000
        item = new_item(ann, title="Two\nlines")
        tell(ann, item)
        event = stream.next()
        shown = api(token_of(ann)).get(f"/api/v1/users/me/notifications/{item.id}").json()
        assert (event.type, event.data, event.id) == ("notification:new", shown, "2")


def test_it_shows_life_and_tells_changes(web: str, ann: Recipient) -> None:
    item = new_item(ann)
    tell(ann, item)
    with open_stream(web, token_of(ann)) as stream:
        stream.hear("connected")
        api(token_of(ann)).patch(f"/api/v1/users/me/notifications/{item.id}/seen")
        seen = stream.next()
        assert (seen.type, seen.data) == ("notification:seen", {"id": str(item.id), "unread_count": 1})
        assert seen.id == "1", "a change moves nobody forward"
        wait_until(lambda: is_alive(stream), "a comment comes")


def is_alive(stream: EventSource) -> bool:
    stream._take(stream.answer.readline().decode().rstrip("\n"), {})
    return stream.comments > 0


def test_it_goes_on_after_the_last_one(web: str, ann: Recipient) -> None:
    """A thousand and one are more than one look into the database brings; nobody was there to be told."""
    with tenant_scope(ann.tenant_id):
        feed.store(ann.tenant_id, [new_item(ann) for _ in range(1001)])
    with open_stream(web, token_of(ann), "1001") as stream:
        assert stream.hear("notifications:catch-up-complete").data == {"count": 0, "more": False}
    with open_stream(web, token_of(ann), query="?last_event_id=999") as stream:
        assert stream.seqs(2) == [1000, 1001]
    with open_stream(web, token_of(ann), "4") as stream:
        assert stream.next().id == "4", "whoever is cut off here has missed nothing"
        assert stream.seqs(997) == list(range(5, 1002))
        assert stream.next().data == {"count": 997, "more": False}
        tell_many(ann, 1)
        assert stream.next().id == "1002"
    with open_stream(web, token_of(ann), "5000") as stream:
        assert stream.next().id == "1002", "numbers that were never given out are none"


def test_it_refuses_for_whom_too_much_comes_at_the_door(web: str, ann: Recipient) -> None:
    """More than may wait is pushed while the database has no word of them yet; they come again and resume."""
    key = (ann.type, ann.external_id)
    flood = [Frame(Address(ann.tenant_id, *key), "unread-count", {"count": 0})] * 1001

    def refused() -> tuple[int, str]:
        with ask(web, token_of(ann)) as answer:
            return answer.status, orjson.loads(answer.read())["detail"]

    def inside() -> int:
        return presence.of(ann.tenant_id, [key])[key].sockets

    with ThreadPoolExecutor(1) as pool, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE preferences_recipient IN ACCESS EXCLUSIVE MODE")
        answer = pool.submit(refused)
        wait_until(lambda: inside() == 1, "they stood at the door")
        publish(flood)
        wait_until(lambda: inside() == 0, "they were let go")
        transaction.set_rollback(True)
    assert answer.result() == (503, "More was pushed than can wait. Try again.")


def test_it_fills_gaps_and_brings_nothing_twice(web: str, ann: Recipient, valkey: Valkey) -> None:
    with open_stream(web, token_of(ann)) as stream:
        tell_many(ann, 1)
        assert stream.seqs(1) == [1]
        with tenant_scope(ann.tenant_id):
            unheard = feed.store(ann.tenant_id, [new_item(ann), new_item(ann)])
        publish(unheard[1:])
        publish(unheard)
        tell_many(ann, 1)
        assert stream.seqs(3) == [2, 3, 4]
        valkey.kill()
        tell_many(ann, 2)
        valkey.start()
        assert stream.seqs(2) == [5, 6]
        tell_many(ann, 1)
        assert stream.seqs(1) == [7]


def test_it_takes_the_token_in_the_query(web: str, log: Path, ann: Recipient) -> None:
    token = token_of(ann)
    with open_stream(web, "", query=f"?token={token}") as stream:
        assert stream.next().type == "connected"
    wait_until(lambda: f"GET {PATH} HTTP" in log.read_text(), "the request is logged")
    assert token not in log.read_text()


def test_it_takes_the_token_of_an_identity_provider(web: str, provider: IdentityProvider) -> None:
    ann = create_recipient(create_tenant(slug="people"), external_id="ann")
    with open_stream(web, provider.token("ann")) as stream, open_tab(web, provider.token("ann", 3)) as tab:
        assert stream.next().data["recipient"] == tab.next()["data"]["recipient"] == "ann"
        tell(ann)
        assert (stream.next().data["seq"], tab.next()["seq"]) == (1, 1)
        tab.say("authenticate", token=provider.token("bob"))
        assert tab.next()["data"]["code"] == "permission_denied"
        assert tab.closed() == 4401
    with ask(web, provider.token("ann", aud="another")) as answer:
        assert answer.status == 401


def test_a_page_of_another_origin_may_ask_first(web: str) -> None:
    """The stream is answered on the loop; a browser's question about it, as everywhere in the user API."""
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    asks |= {"Access-Control-Request-Headers": "authorization, last-event-id"}
    with ask(web, "", method="OPTIONS", **asks) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "last-event-id" in answer.headers["Access-Control-Allow-Headers"]


def test_it_refuses_with_problems(web: str, ann: Recipient) -> None:
    for credential in ("", "nonsense", create_api_key(ann.tenant)):
        with ask(web, credential, **{"X-Request-ID": "mine"}) as answer:
            problem = orjson.loads(answer.read())
            assert (answer.status, problem["code"]) == (401, "not_authenticated")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["X-Request-ID"] == problem["request_id"] == "mine"
    with ask(web, token_of(ann), **{"Last-Event-ID": "yesterday"}) as answer:
        assert (answer.status, orjson.loads(answer.read())["code"]) == (400, "validation_error")
    connection = HTTPConnection(web, timeout=30)
    connection.request("POST", PATH)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    connection.close()


def test_it_shares_the_limit_with_sockets(web: str, ann: Recipient) -> None:
    with open_stream(web, token_of(ann)) as stream, open_tab(web, token_of(ann)) as tab:
        assert (stream.next().type, tab.next()["type"]) == ("connected", "connected")
        with ask(web, token_of(ann)) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
        with open_tab(web, token_of(ann)) as another:
            assert another.closed() == 4429
    wait_until(lambda: is_let_in(web, ann), "the server has noticed that both have gone")


def is_let_in(web: str, recipient: Recipient) -> bool:
    with ask(web, token_of(recipient)) as answer:
        return answer.status == 200


def test_it_ends_when_the_token_expires(web: str, ann: Recipient, settings: Settings) -> None:
    settings.RECIPIENT_TOKEN_SECONDS = 2
    with open_stream(web, token_of(ann)) as stream:
        assert stream.hear("close").data == {"code": 4401}
        with pytest.raises(EOFError):
            stream.next()


def test_it_holds_no_thread(web: str) -> None:
    """More streams than there are threads for requests."""
    tenant = create_tenant()
    people = [create_recipient(tenant) for _ in range(5)]
    with ExitStack() as stack:
        streams = [stack.enter_context(open_stream(web, token_of(person))) for person in people]
        assert [stream.next().type for stream in streams] == ["connected"] * 5
        assert api_answers(web, token_of(people[0]))


def api_answers(web: str, token: str) -> bool:
    request = Request(f"http://{web}/api/v1/users/me/notifications")
    request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=30) as answer:
        return bool(answer.status == 200)
