"""Where the time goes: py-spy's stacks of the web process and of each worker."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import DEVNULL

from bench.meter import Meter
from config.processes import end, spawn

_PROFILED = ("web", "worker")
_OPTIONS = ("--format", "raw", "--rate", "200", "--gil")
_PATIENCE = 30


@contextmanager
def profiled(meter: Meter, directory: Path | None) -> Iterator[None]:
    """Keep `NAME-PID.raw` in `directory`: collapsed stacks, a line each, as flame graphs are made of."""
    with ExitStack() as stack:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            for name, process in meter.members():
                if name in _PROFILED:
                    out = directory / f"{name}-{process.pid}.raw"
                    command = ["py-spy", "record", "--pid", str(process.pid), "--output", str(out), *_OPTIONS]
                    recorder = spawn(command, on_owner_death=signal.SIGKILL, stdout=DEVNULL, stderr=DEVNULL)
                    stack.callback(end, recorder, signal.SIGINT, _PATIENCE)
        yield
