"""`python -m bench pipeline`, `… realtime`, `… providers` and `… rendering`.

The first two start the real stack on throwaway but durable engines, and measure it.

Two processes: this one owns the engines and the stack, as `manage.py up` does, and the other (`bench.rounds`,
`bench.realtime`) measures. `DATABASE_URL` and `REDIS_URL`, when set, are used instead of engines of its own;
what is measured is written there, into tenants called `bench-…`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from bench.options import PreferenceOptions, ProviderOptions, RealtimeOptions, RenderingOptions, parse
from config import stack
from config.embedded import StartError, throwaway_engines
from config.embedded.account import borrowed, temporary_ground
from config.embedded.valkey import free_port
from config.processes import die_with_owner

_PATIENCE = 10
_LAST_LINES = 100
_INTERRUPTED = 128 + signal.SIGINT
_MEASURING = {"pipeline": "bench.rounds", "realtime": "bench.realtime"}


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if isinstance(options, ProviderOptions):
        return _measure_providers(arguments)
    if isinstance(options, RenderingOptions):
        return _measure_rendering(arguments)
    if isinstance(options, PreferenceOptions):
        return _measure_preferences(arguments)
    home = temporary_ground(borrowed())
    os.environ["CARILLON_HOME"] = str(home)
    try:
        workers = 1 if isinstance(options, RealtimeOptions) else options.workers
        return _run(stack.Options(port=free_port(), workers=workers, sandbox=False), arguments)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(options: stack.Options, arguments: list[str]) -> int:
    """The stack's last lines are shown when something went wrong: standard output is the result's alone."""
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    codes: list[int] = []

    async def measure(env: Mapping[str, str]) -> int:
        codes.append(await _measure(_MEASURING[arguments[0]], options.url, arguments, env))
        return codes[0]

    try:
        stack.run(options, say=lambda name, line: lines.append(f"{name}: {line}"), when_ready=measure)
    except StartError:
        codes.append(1)
        raise
    finally:
        if any(codes):
            print(*lines, sep="\n", file=sys.stderr)
    return codes[0] if codes else _INTERRUPTED


def _measure_providers(arguments: list[str]) -> int:
    """There is no stack to measure, only a sandbox on ports of its own, and a database for the receipts."""
    env = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SANDBOX_URL": f"http://127.0.0.1:{free_port()}",
        "SANDBOX_SMTP_PORT": str(free_port()),
        "SANDBOX_SMPP_PORT": str(free_port()),
        "NOTIFICATION_PRIVATE_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "-m", "bench.providers", *arguments]
    with throwaway_engines(given=os.environ) as engines:
        return subprocess.run(command, env=os.environ | engines.env | env, check=False).returncode


def _measure_rendering(arguments: list[str]) -> int:
    """Nobody asks for the engines."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "bench",
        "DATABASE_URL": "postgres://127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    command = [sys.executable, "-m", "bench.rendering", *arguments]
    return subprocess.run(command, env=env, check=False).returncode


def _measure_preferences(arguments: list[str]) -> int:
    """A database, and nothing else of the stack."""
    command = [sys.executable, "-m", "bench.preferences", *arguments]
    with throwaway_engines(given=os.environ) as engines:
        env = {**os.environ, **engines.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        return subprocess.run(command, env=env, check=False).returncode


async def _measure(module: str, url: str, arguments: list[str], env: Mapping[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        env={**env, "DJANGO_SETTINGS_MODULE": "config.settings", "BENCH_URL": url},
        start_new_session=True,  # Ctrl-C reaches this process, which ends the other
        preexec_fn=die_with_owner(signal.SIGKILL),
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):  # then it is killed when this process ends
                await asyncio.wait_for(process.wait(), _PATIENCE)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StartError as error:
        sys.exit(f"error: {error}")
