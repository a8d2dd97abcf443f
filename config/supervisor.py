"""Processes of one terminal: started together, restarted when they die, stopped together, none left."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, cast

from config.embedded.errors import StartError
from config.processes import die_with_owner

Say = Callable[[str, str], None]
"""Shows a line: the name of the process, the line without its end."""

_SETTLED = 10.0  # seconds a process has to live to count as started
_TRIES = 3
_LONGEST_PAUSE = 30.0
_PATIENCE = 10.0  # seconds a process has to finish what it is doing; web needs its FEED_DRAIN_SECONDS first
_LONGEST_LINE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    command: Sequence[str]


async def keep_running(program: Program, env: Mapping[str, str], say: Say) -> None:
    """Run until cancelled, again and again if need be. Raises StartError when it keeps dying at its start."""
    deaths, settled = 0, False
    while True:
        began = time.monotonic()
        code = await _run_once(program, env, say)
        lived_long = time.monotonic() - began > _SETTLED
        settled, deaths = settled or lived_long, 1 if lived_long else deaths + 1
        if deaths == _TRIES and not settled:
            raise StartError(
                f"{program.name} keeps dying at its start ({_ending(code)}): its last lines say why"
            )
        pause = min(2.0 ** (deaths - 1), _LONGEST_PAUSE)
        say(program.name, f"{_ending(code)}; starting it again in {pause:.0f} s")
        await asyncio.sleep(pause)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


async def _run_once(program: Program, env: Mapping[str, str], say: Say) -> int:
    stream, output = await _pipe()
    with output:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us alone, and its children can be killed with it
            preexec_fn=die_with_owner(signal.SIGKILL),
        )
    lines = asyncio.create_task(_pass_on(stream, program.name, say))
    try:
        return await process.wait()
    finally:
        await _stop(process)
        await asyncio.wait([lines], timeout=1)
        lines.cancel()


async def _pipe() -> tuple[asyncio.StreamReader, BinaryIO]:
    """A pipe of our own: with asyncio's, a process is not seen to end while a child of it holds the pipe."""
    reading, writing = os.pipe()
    stream = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0))
    return stream, cast("BinaryIO", os.fdopen(writing, "wb", 0))


async def _pass_on(stream: asyncio.StreamReader, name: str, say: Say) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            say(name, "(a line of more than a megabyte left out)")
            continue
        if not line:
            return
        say(name, line.decode(errors="replace").rstrip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the process, wait, then kill what is left of it and of its children."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
