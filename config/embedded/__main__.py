"""`python -m config.embedded run -- COMMAND…`: run a command with throwaway engines, and end as it ended."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

from config.embedded import StartError, throwaway_engines
from config.processes import spawn

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Sequence[str]) -> int:
    for signum in _PASSED_ON:  # until the command runs, an ordinary end that cleans up
        signal.signal(signum, _leave)
    with throwaway_engines(given=os.environ) as running:
        return _run_to_its_end(command, os.environ | running.env)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _run_to_its_end(command: Sequence[str], env: Mapping[str, str]) -> int:
    process = spawn(command, on_owner_death=signal.SIGKILL, env=env)
    for signum in _PASSED_ON:
        signal.signal(signum, lambda number, frame: process.send_signal(number))
    if sys.stdin.isatty():  # a terminal sends Ctrl-C to both of us
        signal.signal(signal.SIGINT, lambda number, frame: None)
    code = process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["run", "--", _, *_]:
            return run(arguments[2:])
    print("usage: python -m config.embedded run -- COMMAND [ARGUMENT…]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (StartError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
