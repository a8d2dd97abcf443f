"""Processes that end when their owner does, however it ends, and the leftovers of those that could not."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

# https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_owner(signum: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` which has the kernel send `signum` to the child when the calling thread ends.

    Call it, and start the child, from the main thread. Only Linux can do this; elsewhere `end_leftover`
    clears up at the next start.
    """
    owner = os.getpid()

    def arrange() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(signum))
        if os.getppid() != owner:  # it died before we could ask
            os._exit(1)

    return arrange


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def spawn(
    command: Sequence[str], *, on_owner_death: signal.Signals, **options: Any
) -> subprocess.Popen[bytes]:
    """`subprocess.Popen` of a process that gets `on_owner_death` when we end. From the main thread only."""
    return subprocess.Popen(command, preexec_fn=die_with_owner(on_owner_death), **options)  # noqa: PLW1509


def end(process: subprocess.Popen[bytes], signum: signal.Signals, patience: float) -> None:
    """Ask a child to stop, and kill it if it has not done so after `patience` seconds."""
    if process.poll() is not None:
        return
    process.send_signal(signum)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_leftover(pid_file: Path, signum: signal.Signals, patience: float = 10) -> None:
    """Stop the engine that an earlier owner left running on the directory of `pid_file`.

    A pid may have been given to another program since, so only a process that works in that directory,
    as both engines do, is taken for the leftover.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if Path(process.cwd()) != pid_file.parent.resolve():
            return
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    with contextlib.suppress(psutil.Error):
        process.send_signal(signum)
        _, alive = psutil.wait_procs([process], timeout=patience)
        for stubborn in alive:
            stubborn.kill()
            stubborn.wait(patience)
