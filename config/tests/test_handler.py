"""The web process as clients meet it: real sockets, uvicorn, and the handler that it serves in earnest."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
import uvicorn
from django.db import connection
from django.test import override_settings

from config.handler import PooledHandler
from config.tests.processes import wait_until
from tenants.models import Tenant
from tenants.tests.factories import create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 3


@pytest.fixture
def port() -> Iterator[int]:
    with (
        override_settings(ROOT_URLCONF="tenants.tests.views"),
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        config = uvicorn.Config(PooledHandler(THREADS), log_config=None, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def call(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    client = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        client.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
        answer = client.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        client.close()


def bearer(tenant: Tenant) -> str:
    return f"Bearer {create_api_key(tenant)}"


def test_it_works(port: int) -> None:
    tenant = create_tenant()

    status, headers, body = call(port, "GET", "/api/whoami", Authorization=bearer(tenant))

    assert (status, json.loads(body)["tenant"]) == (200, tenant.slug)
    assert headers["ratelimit-limit"]
    assert headers["x-request-id"]


def test_it_keeps_its_connections_to_the_database(port: int) -> None:
    """Twenty requests at once and a hundred in all are served by as many connections as there are threads."""
    key = bearer(create_tenant())

    with ThreadPoolExecutor(20) as clients:
        answers = clients.map(lambda _: call(port, "GET", "/api/whoami", Authorization=key)[0], range(100))
        assert set(answers) == {200}

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        (connections,) = cursor.fetchone()
    assert connections <= THREADS + 1


def test_it_keeps_requests_apart(port: int) -> None:
    with ThreadPoolExecutor(20) as clients:
        names = [f"request-{number}" for number in range(60)]
        answers = clients.map(
            lambda name: call(port, "GET", "/api/correlation", **{"X-Request-ID": name}), names
        )
        assert [json.loads(body)["request_id"] for _, _, body in answers] == names


def test_it_takes_a_body_without_a_length(port: int) -> None:
    headers = {
        "Authorization": bearer(create_tenant()),
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }

    status, _, body = call(port, "POST", "/api/whoami", iter([b'{"na', b'me": "x"}']), **headers)

    assert (status, json.loads(body)["name"]) == (200, "x")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100)
def test_it_refuses_a_long_body_without_a_length(port: int) -> None:
    headers = {
        "Authorization": bearer(create_tenant()),
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }

    assert call(port, "POST", "/api/whoami", iter([b'"', b"x" * 200, b'"']), **headers)[0] == 413


def test_it_streams(port: int) -> None:
    status, _, body = call(port, "GET", "/stream")

    assert status == 200
    assert body.decode().splitlines() == [f"row {number}" for number in range(100_000)]


def test_it_answers_a_defect_with_a_problem(port: int) -> None:
    status, headers, body = call(port, "GET", "/raise/defect")

    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert b"secret" not in body


def test_it_forgets_a_client_that_goes_away_while_it_sends(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /api/whoami HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")

    assert call(port, "GET", "/only-get")[0] == 200
