"""The sandbox for tests: real sockets, in a thread of the test process."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

import uvloop

from sandbox.server import serving
from sandbox.store import CAPACITY
from sandbox.vendors import discover

DEADLINE_S = 30.0

_direct = build_opener(ProxyHandler({}))  # this machine is not behind the proxy the environment names


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    http_url: str
    ports: Mapping[str, int]
    """Of the vendors that have a protocol of their own, by name."""

    @property
    def smtp_port(self) -> int:
        return self.ports["smtp"]

    def messages(self, **filters: Any) -> list[dict[str, Any]]:
        """Newest first, all that are kept unless `limit` says less; filters as in `GET /api/messages`."""
        query = urlencode({"limit": CAPACITY, **filters})
        results: list[dict[str, Any]] = self._call("GET", f"/api/messages?{query}")["results"]
        return results

    def fault(self, name: str, **fault: Any) -> None:
        """`fault("twilio", status=503, times=2)`: see `sandbox.faults.Fault`."""
        self._call("PUT", f"/api/faults/{quote(name, safe='')}", fault)

    def webhook(self, name: str, url: str, secret: str = "", verify_token: str = "") -> None:
        """Where a vendor or an account posts: see `sandbox.webhooks.Webhook`."""
        webhook = {"url": url, "secret": secret, "verify_token": verify_token}
        self._call("PUT", f"/api/webhooks/{quote(name, safe='')}", webhook)

    def clear(self) -> None:
        """Forgets all messages, faults and webhooks."""
        self._call("DELETE", "/api/messages")
        self._call("DELETE", "/api/faults")
        self._call("DELETE", "/api/webhooks")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.http_url + path, data, method=method)  # noqa: S310 - our own http:// address
        with _direct.open(request, timeout=DEADLINE_S) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def running_sandbox(host: str = "127.0.0.1") -> Iterator[RunningSandbox]:
    """A sandbox on ports that the system chooses, stopped when the block ends."""
    ports = {vendor.name: 0 for vendor in discover() if vendor.default_port is not None}
    with _loop_in_thread() as loop:
        sandbox = serving(host, 0, ports)
        addresses = asyncio.run_coroutine_threadsafe(sandbox.__aenter__(), loop).result(DEADLINE_S)
        try:
            yield RunningSandbox(addresses.http_url, addresses.ports)
        finally:
            asyncio.run_coroutine_threadsafe(sandbox.__aexit__(None, None, None), loop).result(DEADLINE_S)


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()
