"""The services that ask: one that sends a batch, and two that send an urgent notification now and then.

`python -m bench.client URL CHANNEL`, a process of its own, so that its work is not taken for Carillon's.
Times are `time.monotonic()`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import orjson
import uvloop

from bench.children import obey_on_loop
from bench.crowd import URGENT_RECIPIENTS, item

ITEMS = 1_000
IN_FLIGHT = 2
_URGENT_EVERY = 0.1
_NOTIFICATIONS = "/api/v1/services/notifications"


class NotAcceptedError(Exception):
    """The answer was not 202, or not everything was taken."""


class Client:
    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.bodies: list[tuple[int, bytes]] = []
        self.urgent: list[tuple[str, float]] = []

    def prepare(self, n: int) -> int:
        """Write the bodies of a batch of `n`, before the clock starts."""
        self.bodies = []
        for start in range(0, n, ITEMS):
            items = [item(self.channel, number) for number in range(start, min(start + ITEMS, n))]
            self.bodies.append((len(items), orjson.dumps({"notifications": items, "total_expected": n})))
        return len(self.bodies)

    def start(self, key: str, urgent: Sequence[tuple[str, str]]) -> float:
        """Begin to send; when that was. `urgent` are (key, prefix of the recipients) to take turns."""
        self.urgent.clear()
        self.began = time.monotonic()
        self.batch = asyncio.create_task(self._send_batch(key))
        self.stopping = asyncio.Event()
        self.ringing = asyncio.create_task(self._send_urgent(urgent))
        return self.began

    async def accepted(self) -> dict[str, Any]:
        """When the last request of the batch was answered, and the batches' ids."""
        batches = await self.batch
        return {"at": time.monotonic(), "batches": batches}

    async def stop(self) -> list[tuple[str, float]]:
        """No more urgent ones; whom they went to, and when each request was begun."""
        self.stopping.set()
        await self.ringing
        return self.urgent

    async def _send_batch(self, key: str) -> list[str]:
        waiting = iter(self.bodies)
        async with session(key) as http:
            parts = await asyncio.gather(*(self._send_bodies(http, waiting) for _ in range(IN_FLIGHT)))
        return [batch for part in parts for batch in part]

    async def _send_bodies(self, http: aiohttp.ClientSession, waiting: Any) -> list[str]:
        batches = []
        for items, body in waiting:
            answer = await post(http, f"{_NOTIFICATIONS}/send-batch", body)
            if answer["accepted"] != items:
                raise NotAcceptedError(str(answer["rejected"][:1]))
            batches.append(answer["batch_id"])
        return batches

    async def _send_urgent(self, senders: Sequence[tuple[str, str]]) -> None:
        """One after the other, at most ten a second, by turns."""
        async with AsyncExitStack() as stack:
            sessions = [(await stack.enter_async_context(session(key)), prefix) for key, prefix in senders]
            for number in range(URGENT_RECIPIENTS * len(sessions)):
                http, prefix = sessions[number % len(sessions)]
                await self._send_one_urgent(http, f"{prefix}-{number // len(sessions)}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), _URGENT_EVERY)
                    return

    async def _send_one_urgent(self, http: aiohttp.ClientSession, recipient: str) -> None:
        body = {**item(self.channel, 0), "recipient": recipient, "priority": "urgent"}
        begun = time.monotonic()
        self.urgent.append((recipient, begun))
        await post(http, f"{_NOTIFICATIONS}/send", orjson.dumps(body))


def session(key: str) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return aiohttp.ClientSession(sys.argv[1], headers=headers)


async def post(http: aiohttp.ClientSession, path: str, body: bytes) -> Any:
    async with http.post(path, data=body) as answer:
        document = orjson.loads(await answer.read())
        if answer.status != 202:
            raise NotAcceptedError(f"{answer.status}: {document}")
        return document


async def main(channel: str) -> None:
    client = Client(channel)
    commands: dict[str, Any] = {
        "prepare": client.prepare,
        "start": client.start,
        "accepted": client.accepted,
        "stop": client.stop,
    }
    await obey_on_loop(commands)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[2]))
