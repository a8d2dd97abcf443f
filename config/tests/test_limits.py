"""File descriptors, in a process of its own: a limit that was lowered cannot be taken back."""

import subprocess
import sys

from config.tests.processes import ROOT

_CALL = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from config.limits import raise_open_files
print(raise_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def raised(soft: int, hard: int) -> list[int]:
    """What the call answered, and the limits after it."""
    command = [sys.executable, "-c", _CALL.format(soft=soft, hard=hard)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_it_takes_what_may_be_had() -> None:
    assert raised(soft=256, hard=4096) == [4096, 4096, 4096]
    assert raised(soft=4096, hard=4096) == [4096, 4096, 4096]
