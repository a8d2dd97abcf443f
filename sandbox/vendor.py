"""What a vendor is to the sandbox: a file in `sandbox/vendors/` with one subclass of `Vendor`."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Never

from aiohttp import web

from sandbox.faults import Faults
from sandbox.receipts import Receipts
from sandbox.store import Store
from sandbox.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Counter:
    """Where vendors hand in what they got and ask how to behave."""

    store: Store
    faults: Faults
    receipts: Receipts
    webhooks: Webhooks


class Vendor:
    """Speaks one vendor's protocol: over HTTP by giving `routes`, over a socket of its own by `listen`.

    `name` is the provider's name in messages and faults. A vendor with a `default_port` gets a command line
    option `--<name>-port` and is told to `listen`; 0 lets the system choose.
    """

    name: ClassVar[str]
    channel: ClassVar[str]
    default_port: ClassVar[int | None] = None

    def __init__(self, counter: Counter) -> None:
        self.store, self.faults = counter.store, counter.faults
        self.receipts, self.webhooks = counter.receipts, counter.webhooks

    def routes(self) -> Iterable[web.RouteDef]:
        return ()

    async def listen(self, host: str, port: int) -> int:
        """Opens the socket, raising OSError if it cannot; returns the port that it got."""
        raise NotImplementedError(f"{self.name} names a default_port, so it has to listen")

    async def close(self) -> None:
        """Closes the socket and every connection on it, at once."""


async def never_answer() -> Never:
    """Keeps a request open without an answer until its client goes away, which cancels it."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves this future")
