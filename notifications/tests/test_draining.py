"""A web process is told to end: its clients are sent away over some seconds, and served until then."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from pytest_django import DjangoDbBlocker

from notifications.tests.event_source import EventSource, ask, open_stream
from notifications.tests.web import Tab, WebServer, open_tab, wait_until, web_server
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 2.0
CLIENTS = 8  # of each kind


@pytest.fixture
def web(tmp_path: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WebServer]:
    log = tmp_path / "log"
    with web_server(log, FEED_DRAIN_SECONDS=str(SECONDS)) as server:
        yield server
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def ann() -> Recipient:
    return create_recipient(create_tenant(), external_id="ann")


def token_of(recipient: Recipient) -> str:
    return mint_recipient_token(recipient.tenant, recipient.external_id, recipient.type)[0]


def sent_away(client: Tab | EventSource) -> tuple[float, int | None]:
    """When, and with what code."""
    code = client.closed() if isinstance(client, Tab) else client.hear("close").data["code"]
    return time.monotonic(), code


def readiness(web: WebServer) -> str:
    try:
        with urlopen(f"http://{web.address}/health/ready", timeout=30) as answer:
            return str(answer.read())
    except HTTPError as error:
        return str(error.read())


def test_it_sends_everybody_away_little_by_little(web: WebServer, ann: Recipient) -> None:
    token = token_of(ann)
    with ExitStack() as stack, ThreadPoolExecutor(2 * CLIENTS) as pool:
        clients: list[Tab | EventSource] = []
        for _ in range(CLIENTS):
            clients.append(stack.enter_context(open_tab(web.address, token)))
            clients.append(stack.enter_context(open_stream(web.address, token)))
            assert clients[-2].next()["type"] == "connected"  # type: ignore[index]
            clients[-1].hear("connected")
        began = time.monotonic()
        partings = [pool.submit(sent_away, client) for client in clients]
        web.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "about to end" in readiness(web), "load balancers are told")
        with open_tab(web.address, token) as late, ask(web.address, token) as refused:
            assert (late.closed(), refused.status) == (1012, 503)
        times, codes = zip(*sorted(parting.result() for parting in partings), strict=True)
    assert set(codes) == {1012}
    assert times[-1] - began < SECONDS + 2
    assert times[-1] - times[0] > SECONDS / 2
    assert max(later - earlier for earlier, later in pairwise(times)) < SECONDS / 2, "not all at once"
    assert web.process.wait(10) in {0, -signal.SIGTERM}


def test_it_ends_at_once_without_clients_and_when_told_twice(web: WebServer, ann: Recipient) -> None:
    with open_tab(web.address, token_of(ann)) as tab:
        assert tab.next()["type"] == "connected"
        web.process.send_signal(signal.SIGINT)
        web.process.send_signal(signal.SIGTERM)
        assert tab.closed() == 1012
    began = time.monotonic()
    web.process.wait(10)
    assert time.monotonic() - began < SECONDS
