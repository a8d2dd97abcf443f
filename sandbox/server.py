"""The sandbox as one process: inbox and HTTP vendors on one port, other protocols on their own."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvloop
from aiohttp import web

from sandbox.faults import Faults
from sandbox.inbox import Inbox
from sandbox.receipts import Receipts
from sandbox.store import Store
from sandbox.vendor import Counter, Vendor
from sandbox.vendors import discover
from sandbox.webhooks import Webhooks

DESCRIPTION = "Stands in for every vendor on this machine and shows what they received."
HTTP_PORT = 8025
MAX_BODY_BYTES = 25 * 1024 * 1024


class PortUnavailableError(Exception):
    """A socket could not be opened; the text says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running sandbox listens; `ports` by vendor, for those with a protocol of their own."""

    host: str
    http_port: int
    ports: dict[str, int]

    @property
    def http_url(self) -> str:
        return f"http://{self.host}:{self.http_port}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=HTTP_PORT, help="HTTP vendors and inbox (%(default)s)")
    for vendor in discover():
        if vendor.default_port is not None:
            default = vendor.default_port
            parser.add_argument(f"--{vendor.name}-port", type=int, default=default, help="(%(default)s)")


def run(host: str = "127.0.0.1", port: int = HTTP_PORT, **vendor_ports: int) -> None:
    """Runs until SIGINT or SIGTERM. `vendor_ports` are named like their options: `smtp_port=1025`."""
    ports = {name.removesuffix("_port"): number for name, number in vendor_ports.items()}
    try:
        uvloop.run(_run_until_told(host, port, ports))
    except PortUnavailableError as error:
        sys.exit(str(error))


async def _run_until_told(host: str, port: int, ports: dict[str, int]) -> None:
    told = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, told.set)
    async with serving(host, port, ports) as addresses:
        others = "".join(f"  {name} {host}:{number}" for name, number in addresses.ports.items())
        print(f"sandbox ready: inbox {addresses.http_url}{others}", flush=True)
        await told.wait()


@asynccontextmanager
async def serving(host: str, port: int, ports: dict[str, int]) -> AsyncIterator[Addresses]:
    """A sandbox in the running loop; port 0 lets the system choose. Raises PortUnavailableError."""
    counter, stopping = Counter(Store(), Faults(), Receipts(), Webhooks()), asyncio.Event()
    inbox = Inbox(counter.store, counter.faults, counter.webhooks, stopping)
    vendors = [vendor(counter) for vendor in discover()]
    async with AsyncExitStack() as stack:
        await counter.receipts.start()
        stack.push_async_callback(counter.receipts.stop)
        runner = await _http_runner(inbox, vendors)
        stack.push_async_callback(runner.cleanup)
        http_port = await _listen_http(runner, host, port)
        bound = {
            vendor.name: await _listen(stack, vendor, host, ports.get(vendor.name, vendor.default_port))
            for vendor in vendors
            if vendor.default_port is not None
        }
        stack.callback(stopping.set)
        yield Addresses(host, http_port, bound)


async def _http_runner(inbox: Inbox, vendors: list[Vendor]) -> web.AppRunner:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(inbox.routes())
    for vendor in vendors:
        app.add_routes(vendor.routes())
    # A client that goes away frees a request that was told never to be answered; so does stopping, at once.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    return runner


async def _listen_http(runner: web.AppRunner, host: str, port: int) -> int:
    with _clear_error("HTTP", host, port, "--port"):
        await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])


async def _listen(stack: AsyncExitStack, vendor: Vendor, host: str, port: int) -> int:
    with _clear_error(vendor.name.upper(), host, port, f"--{vendor.name}-port"):
        bound = await vendor.listen(host, port)
    stack.push_async_callback(vendor.close)
    return bound


@contextmanager
def _clear_error(what: str, host: str, port: int, option: str) -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else error
        place = f"{host}:{port} for {what}"
        raise PortUnavailableError(
            f"sandbox: cannot listen on {place} ({why}); choose another with {option}"
        ) from None
