"""The supervisor, over small real programs."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from config import supervisor
from config.embedded import StartError
from config.supervisor import Program, keep_running

ENV = {"PATH": os.environ["PATH"]}


class Lines(list[str]):
    def say(self, name: str, line: str) -> None:
        self.append(line)


def program(script: str) -> Program:
    return Program("it", [sys.executable, "-c", script])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(script: str, lines: Lines) -> AsyncIterator[None]:
    task = asyncio.create_task(keep_running(program(script), ENV, lines.say))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


LIVES = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def test_it_works() -> None:
    async def scene() -> int:
        lines = Lines()
        async with running(LIVES, lines):
            await until(lambda: bool(lines))
            assert psutil.pid_exists(int(lines[0]))
        return int(lines[0])

    assert not psutil.pid_exists(asyncio.run(scene()))


def test_it_restarts_what_dies() -> None:
    async def scene() -> None:
        lines = Lines()
        async with running(LIVES, lines):
            await until(lambda: len(lines) == 1)
            os.kill(int(lines[0]), signal.SIGKILL)
            await until(lambda: len(lines) == 3)
        assert lines[1] == "killed by SIGKILL; starting it again in 1 s"
        assert lines[2] != lines[0]

    asyncio.run(scene())


def test_it_gives_up_on_what_keeps_dying_at_its_start() -> None:
    lines = Lines()
    with pytest.raises(StartError, match=r"it keeps dying at its start \(exit code 3\)"):
        asyncio.run(keep_running(program("raise SystemExit(3)"), ENV, lines.say))
    assert lines == [f"exit code 3; starting it again in {pause} s" for pause in (1, 2)]


def test_it_takes_children_of_the_program_along() -> None:
    script = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {LIVES!r}]); time.sleep(60)"
    )

    async def scene() -> int:
        lines = Lines()
        async with running(script, lines):
            await until(lambda: bool(lines))
        return int(lines[0])

    grandchild = asyncio.run(scene())
    with contextlib.suppress(psutil.NoSuchProcess):  # init has reaped it, or will soon
        psutil.Process(grandchild).wait(10)


def test_it_kills_what_will_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE", 0.2)
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"

    async def scene() -> int:
        lines = Lines()
        async with running(stubborn, lines):
            await until(lambda: bool(lines))
        return int(lines[0])

    assert not psutil.pid_exists(asyncio.run(scene()))


def test_it_survives_an_endless_line() -> None:
    script = f"print('x' * 3_000_000); {LIVES}"

    async def scene() -> None:
        lines = Lines()
        async with running(script, lines):
            await until(lambda: any(line.isdigit() for line in lines))
        assert "(a line of more than a megabyte left out)" in lines

    asyncio.run(scene())
