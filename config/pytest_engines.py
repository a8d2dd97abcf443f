"""Real engines for the tests, started before Django reads its settings, whichever way pytest was started.

Loaded by `-p` in pyproject.toml. `DATABASE_URL` and `REDIS_URL`, when set, are used instead: their test
database is created anew and everything in that Redis is deleted.
"""

import atexit
import contextlib
import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import pytest

from config.embedded import StartError, Valkey, throwaway_engines

_OURS = "CARILLON_TEST_ENGINES"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    stack = contextlib.ExitStack()
    atexit.register(stack.close)  # pytest's own hooks are left out when it fails this early
    try:
        if os.environ.get("PYTEST_XDIST_WORKER"):
            _start_own_valkey(stack)
        else:
            _start(stack)
    except StartError as error:
        raise pytest.UsageError(str(error)) from None


def _start(stack: contextlib.ExitStack) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    running = stack.enter_context(throwaway_engines(given=os.environ))
    os.environ.update(running.env)
    os.environ[_OURS] = "valkey" if running.valkey else ""


def _start_own_valkey(stack: contextlib.ExitStack) -> None:
    """One database each is enough to part xdist's workers, one Valkey is not: it has common channels."""
    if os.environ.get(_OURS) == "valkey":
        valkey = Valkey(Path(stack.enter_context(TemporaryDirectory(prefix="carillon-"))))
        stack.callback(valkey.stop)
        valkey.start()
        os.environ["REDIS_URL"] = valkey.url


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: fixtures are torn down, engines stopped, their directory removed."""
    raise KeyboardInterrupt
