"""Where somebody else's URL may lead, and where not."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.guard import is_public
from delivery.providers.http import LARGEST, Reply, exchange
from delivery.tests.contract import Answer, HttpContract, Server, Signal

LOOPBACK = ["127.0.0.0/8"]


def answering(answer: Answer) -> Server:
    return Server(HttpContract(), Signal.TAKEN, always=answer)


def call(url: str, **options: Any) -> Reply:
    return loop.run(exchange("GET", url, timeout=2, guarded=True, **options))


def refusal(url: str) -> ProviderError:
    with pytest.raises(ProviderError) as refused:
        call(url)
    return refused.value


@pytest.fixture
def server() -> Iterator[Server]:
    with answering((200, {}, b"well")) as server:
        yield server


def test_it_works(server: Server, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = LOOPBACK
    assert call(server.url).body == b"well"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_it_never_knocks_at_a_private_address(server: Server, host: str) -> None:
    error = refusal(server.url.replace("127.0.0.1", host))
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "private_address", False)
    assert not server.requests


def test_a_name_that_leads_inside_is_refused(server: Server) -> None:
    assert refusal(server.url.replace("127.0.0.1", socket.gethostname())).code in {
        "private_address",
        "connection_refused",  # this machine's name leads nowhere
    }
    assert not server.requests


@pytest.mark.parametrize("url", ["ftp://example.com/", "file:///etc/passwd", "http://", "http://2130706433/"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert refusal(url).code in {"bad_url", "private_address"}


def test_it_follows_no_redirect_inside(server: Server, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = LOOPBACK
    inside: Answer = (302, {"Location": server.url}, b"")
    with answering(inside) as outside:
        assert call(outside.url).status == 302
    assert not server.requests


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_it_reads_no_more_than_it_was_told(settings: Settings, encoding: str) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = LOOPBACK
    body = b"x" * (2 * LARGEST)
    answer: Answer = (200, {"Content-Encoding": "gzip"}, gzip.compress(body)) if encoding else (200, {}, body)
    with answering(answer) as server:
        assert refusal(server.url).code == "too_large"
        assert call(server.url, largest=len(body)).body == body


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
        *("192.0.0.8", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::80ff:fffe"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public(ip_address(address))
