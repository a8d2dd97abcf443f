"""Finding and awaiting real processes."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def working_in(directory: Path) -> list[psutil.Process]:
    """The processes whose current directory lies in `directory`, as both engines' does."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(directory):
                found.append(process)
    return found


def belonging_to(home: Path) -> list[psutil.Process]:
    """The processes that were started with `home` as their CARILLON_HOME, but this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("CARILLON_HOME") == str(home) and process.pid != psutil.Process().pid:
                found.append(process)
    return found
