"""Clients that do not read, or are no more: what they cost a real web process, and what they miss."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from pytest_django import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from notifications.tests.event_source import open_stream
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import Tab, WebServer, open_tab, wait_until, web_server
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = 1024 * 1024
PATIENT = {"FEED_PATIENCE_SECONDS": "60", "UVICORN_WS_PING_INTERVAL": "60"}
IMPATIENT = {"FEED_PATIENCE_SECONDS": "1", "UVICORN_WS_PING_INTERVAL": "1", "UVICORN_WS_PING_TIMEOUT": "1"}


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[WebServer]:
    log = tmp_path_factory.mktemp("web") / "log"
    with web_server(log, **PATIENT) as server:
        yield server
    assert "Traceback" not in log.read_text(), log.read_text()


def token_of(recipient: Recipient) -> str:
    return mint_recipient_token(recipient.tenant, recipient.external_id, recipient.type)[0]


@contextmanager
def open_deaf(address: str, recipient: Recipient) -> Iterator[Tab]:
    """A tab that reads nothing but what it asks for, through a small window."""
    host, _, port = address.partition(":")
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    plain.connect((host, int(port)))
    offered = [Subprotocol("carillon.v1"), Subprotocol(f"bearer.{token_of(recipient)}")]
    url = f"ws://{address}/ws/notifications/"
    with connect(
        url, sock=plain, subprotocols=offered, compression=None, max_queue=1, close_timeout=1
    ) as deaf:
        yield Tab(deaf)


def memory(web: WebServer) -> int:
    return int(psutil.Process(web.process.pid).memory_info().rss)


def connections(web: WebServer) -> int:
    port = int(web.address.partition(":")[2])
    open_ones = psutil.Process(web.process.pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in open_ones)


def fill(recipient: Recipient, count: int) -> None:
    """So many items of 100 kB."""
    tell(recipient, *(new_item(recipient, body="x" * 100_000) for _ in range(count)))


def test_who_does_not_read_costs_little_and_loses_nothing(web: WebServer) -> None:
    tenant = create_tenant()
    people = [create_recipient(tenant) for _ in range(4)]
    with ExitStack() as stack:
        tabs = [stack.enter_context(open_deaf(web.address, person)) for person in people]
        assert {tab.next()["type"] for tab in tabs} == {"connected"}
        before = memory(web)
        for person in people:
            for _ in range(10):
                fill(person, 20)
        assert memory(web) - before < 40 * MEGABYTE, "of 80 that were sent"
        for tab in tabs:
            assert read_to_the_end(tab)[1] == 4408
    with open_tab(web.address, token_of(people[0])) as tab:
        assert resume(tab, after=0) == list(range(1, 201))


def test_a_stream_that_is_not_read_goes_on_where_it_was(web: WebServer) -> None:
    ann = create_recipient(create_tenant())
    seqs: list[int] = []
    with open_stream(web.address, token_of(ann)) as stream:
        stream.hear("connected")
        for _ in range(10):
            fill(ann, 20)
        while (event := stream.next()).type == "notification:new":
            seqs.append(event.data["seq"])
        assert (event.type, event.data) == ("close", {"code": 4408})
    assert 0 < len(seqs) < 200
    with open_stream(web.address, token_of(ann), stream.last_event_id) as stream:
        assert [*seqs, *stream.seqs(200 - len(seqs))] == list(range(1, 201))


def test_it_finds_peers_that_are_dead(tmp_path: Path) -> None:
    """One answers no ping, the other does not take what was written: neither is there any more."""
    people = [create_recipient(create_tenant()) for _ in range(3)]
    with web_server(tmp_path / "log", **IMPATIENT) as web, ExitStack() as stack:
        alive = stack.enter_context(open_tab(web.address, token_of(people[0])))
        deaf = [stack.enter_context(open_deaf(web.address, person)) for person in people[1:]]
        assert {tab.next()["type"] for tab in (alive, *deaf)} == {"connected"}
        fill(people[1], 4)
        fill(people[2], 40)
        wait_until(lambda: connections(web) == 1, "the two are gone")
        alive.say("ping")
        assert alive.next() == {"type": "pong"}


def read_to_the_end(tab: Tab) -> tuple[list[int], int | None]:
    """The numbers that came before it was closed, and the code."""
    seqs: list[int] = []
    try:
        while True:
            seqs.append(tab.next()["seq"])
    except ConnectionClosed as closed:
        return seqs, closed.rcvd.code if closed.rcvd else None


def resume(tab: Tab, after: int) -> list[int]:
    """All that came after that number, part by part."""
    seqs: list[int] = []
    more = True
    while more:
        tab.say("resume", {"after": after})
        while (frame := tab.next())["type"] != "notifications:catch-up-complete":
            if frame["type"] == "notification:new":
                seqs.append(frame["seq"])
        after, more = seqs[-1], frame["data"]["more"]
    return seqs
