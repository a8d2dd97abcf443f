"""An SMSC for one test: the sandbox's, in a thread, with its answers told beforehand."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import uvloop
from smpp34 import DeliverSm, SubmitSm

from sandbox.smsc import Smsc, Taken

DEADLINE_S = 30.0

Answers = Callable[[SubmitSm, int], Taken | None]
"""To a message, by its number, from 1."""
SlowAnswers = Callable[[SubmitSm, int], Awaitable[Taken | None]]


def taken(message: SubmitSm, number: int) -> Taken | None:
    return Taken(f"{number:08X}")


class Counter:
    """An SMSC's office. `binds` are the statuses of the next binds, then 0; `messages` is what came."""

    def __init__(self, answers: Answers, binds: list[int], password: str) -> None:
        self.answers, self.binds, self.password = answers, binds, password
        self.slowly: SlowAnswers | None = None
        self.answered = 0
        self.logins: list[str] = []
        self.messages: list[SubmitSm] = []
        self._numbers = itertools.count(1)

    def authenticate(self, system_id: str, password: str) -> int:
        self.logins.append(system_id)
        if self.binds:
            return self.binds.pop(0)
        return 0 if password == self.password else 0x0E

    async def submit(self, system_id: str, message: SubmitSm) -> Taken | None:
        self.messages.append(message)
        number = next(self._numbers)
        answer = await self.slowly(message, number) if self.slowly else self.answers(message, number)
        self.answered += 1
        return answer


class RunningSmsc:
    """Its connections are used from its own thread only."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        smsc: Smsc,
        office: Counter,
        port: int,
        end: asyncio.Event,
    ) -> None:
        self.loop, self.smsc, self.office, self.port, self.end = loop, smsc, office, port, end

    def deliver(self, system_id: str, *args: Any, **fields: Any) -> None:
        message = DeliverSm(*args, **fields)
        self.loop.call_soon_threadsafe(self.smsc.deliver, system_id, message)

    def deliver_octets(self, system_id: str, body: bytes) -> None:
        self.loop.call_soon_threadsafe(self.smsc.subscriber(system_id).again, body)

    def is_quiet(self, system_id: str) -> bool:
        """Nothing waits to be delivered or acknowledged."""
        subscriber = self.smsc.subscriber(system_id)
        return not subscriber.waiting and not any(receiver.delivered for receiver in subscriber.receivers)

    def write(self, octets: bytes) -> None:
        """On every line, as it is. To be called while a message is answered."""
        for connection in self.smsc.connections:
            connection.transport.write(octets)

    def fall_silent(self) -> None:
        """The lines that there are stay open, and nothing comes by them any more."""

        def fall() -> None:
            for connection in self.smsc.connections:
                connection.transport.pause_reading()

        self.loop.call_soon_threadsafe(fall)

    def drop_all(self) -> None:
        """Every line breaks."""

        def drop() -> None:
            for connection in list(self.smsc.connections):
                connection.transport.abort()

        self.loop.call_soon_threadsafe(drop)


@contextmanager
def running_smsc(
    answers: Answers = taken,
    *,
    port: int = 0,
    binds: list[int] | None = None,
    password: str = "open-sesame",
    tls: ssl.SSLContext | None = None,
    enquire_link_s: float = 30.0,
) -> Iterator[RunningSmsc]:
    office = Counter(answers, binds or [], password)
    started: Queue[RunningSmsc] = Queue()

    async def serve() -> None:
        smsc = Smsc(office, enquire_link_s=enquire_link_s)
        bound = await smsc.listen("127.0.0.1", port, tls)
        end = asyncio.Event()
        started.put(RunningSmsc(asyncio.get_running_loop(), smsc, office, bound, end))
        await end.wait()
        await smsc.close()

    thread = threading.Thread(target=uvloop.run, args=(serve(),), name="smsc", daemon=True)
    thread.start()
    running = started.get(timeout=DEADLINE_S)
    try:
        yield running
    finally:
        running.loop.call_soon_threadsafe(running.end.set)
        thread.join(DEADLINE_S)
