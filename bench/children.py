"""Processes of the benchmark that do as they are told: an order is a line of JSON, and so is its answer."""

from __future__ import annotations

import asyncio
import inspect
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

import orjson

from config.processes import end, spawn

_PATIENCE = 5
_LONGEST_ORDER = 1 << 24

Commands = Mapping[str, Callable[..., Any]]


class ChildEndedError(Exception):
    """A child was asked something and ended instead; its standard error says why."""


class Child:
    """`python -m MODULE ARGUMENT…`, for as long as the `with` block lasts."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.module = module
        self._process = spawn(
            [sys.executable, "-m", module, *arguments],
            on_owner_death=signal.SIGKILL,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        end(self._process, signal.SIGTERM, _PATIENCE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **details: Any) -> Any:
        self.tell(do, **details)
        return self.hear()

    def tell(self, do: str, **details: Any) -> None:
        """An order whose answer is for later: `hear` brings it."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": do, **details}) + b"\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildEndedError(self.module)
        return orjson.loads(answer)


def obey(commands: Commands) -> None:
    """The child's side: orders by name, until nobody is left to give any."""
    for line in sys.stdin.buffer:
        order = orjson.loads(line)
        _answer(commands[order.pop("do")](**order))


async def obey_on_loop(commands: Commands) -> None:
    """As `obey`, while the loop serves others. A command may be a coroutine function."""
    orders = asyncio.StreamReader(limit=_LONGEST_ORDER)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = orjson.loads(line)
        answer = commands[order.pop("do")](**order)
        _answer(await answer if inspect.isawaitable(answer) else answer)


def _answer(answer: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
