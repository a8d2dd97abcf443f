"""The stack of the demo: its settings, its log, and the tour as a process beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from config import stack
from config.embedded import StartError
from config.embedded.home import directory
from config.processes import die_with_owner

# One retry an account instead of three, so that the tour soon sees the next account take over.
SETTINGS = {"DEMO": "1", "NOTIFICATION_RETRY_THRESHOLD": "1"}

_INTERRUPTED = 128 + signal.SIGINT
_PATIENCE = 5.0  # seconds that the tour has to put the cursor back


class Log:
    """What the processes say, kept off the tour. The file is begun anew when the first line comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def say(self, name: str, line: str) -> None:
        self._file = self._file or self.path.open("w")
        print(f"{name:7} │ {line}", file=self._file, flush=True)

    @property
    def has_lines(self) -> bool:
        return self._file is not None


def run(options: stack.Options, *, once: bool) -> int:
    """Run the stack and the tour; answers the exit code. Raises StartError.

    With `once` the code is the tour's; without, the stack stays up until a signal.
    """
    os.environ |= SETTINGS
    log = Log(directory() / "demo.log")
    visit = Visit(options, log.path, once=once)
    try:
        with visit.starting():
            code = stack.run(options, say=log.say, when_ready=visit.begin)
    except StartError as error:
        hint = f"; what the processes said is in {log.path}" if log.has_lines else ""
        raise StartError(f"{error}{hint}") from None
    except KeyboardInterrupt:  # before the stack listened to signals
        return _INTERRUPTED
    return code if visit.finished or not once else _INTERRUPTED


class Visit:
    """What is shown from the first line to the last."""

    def __init__(self, options: stack.Options, log: Path, *, once: bool) -> None:
        self._url, self._log, self._once = options.url, log, once
        self._console = Console(highlight=False)
        self._status = self._console.status("")
        self._began = time.monotonic()
        self.finished = False

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Say what is going on, until `begin` or an error ends it."""
        self._console.print("[bold]Carillon[/] [dim]· one event, every bell[/]")
        what = "Starting PostgreSQL, Valkey, web, worker, beat and the sandbox"
        if self._console.is_terminal:
            self._status.update(what)
            self._status.start()
        else:
            self._console.print(what)
        try:
            yield
        finally:
            self._status.stop()

    async def begin(self, env: Mapping[str, str]) -> int | None:
        """The stack is ready: show the tour."""
        self._status.stop()
        took = time.monotonic() - self._began
        self._console.print(f"[green]✓[/] Everything runs, after {took:.1f} s.")
        try:
            code = await self._show_tour(env)
            self.finished = True
            if self._once:
                return code
            await self._stay()
            return None
        except asyncio.CancelledError:
            self._console.print("\nStopping everything…")
            raise

    async def _show_tour(self, env: Mapping[str, str]) -> int:
        arguments = [self._url, *(["--once"] if self._once else [])]
        tour = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "config.tour", *arguments),
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone
            preexec_fn=die_with_owner(signal.SIGKILL),
        )
        try:
            return 1 if await tour.wait() else 0
        finally:
            await _end(tour)

    async def _stay(self) -> None:
        self._console.print(f"[dim]Press Ctrl-C to stop it all. Logs: {escape(str(self._log))}[/]")
        await asyncio.get_running_loop().create_future()  # until cancelled


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
