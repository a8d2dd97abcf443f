"""Everything Carillon is made of, in one terminal: engines, web, worker, beat and the sandbox."""

import argparse
import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Self

import aiohttp

from config.embedded import Engines, Postgres, StartError, Valkey, engines
from config.embedded.valkey import is_free
from config.processes import spawn
from config.supervisor import Program, Say, keep_running

WhenReady = Callable[[Mapping[str, str]], Awaitable[int | None]]
"""Called once the health check answers, with the environment of the stack. A number stops the stack and is
its exit code; None leaves it running until a signal comes."""

_MANAGE = str(Path(__file__).resolve().parent.parent / "manage.py")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY_WITHIN = 120.0
WEB_OPTIONS = (
    *("--timeout-graceful-shutdown", "5"),
    *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false"),
)
"""What every web process is started with, here and in the image (`Dockerfile`)."""


def default_workers() -> int:
    return max(2, min(4, os.cpu_count() or 2))


@dataclasses.dataclass(frozen=True)
class Options:
    host: str = "127.0.0.1"
    port: int = 8000
    inbox_port: int = 8025
    smtp_port: int = 1025
    smpp_port: int = 2775
    workers: int = dataclasses.field(default_factory=default_workers)
    sandbox: bool = True

    @classmethod
    def chosen(cls, arguments: Mapping[str, Any]) -> Self:
        """From the parsed arguments of a command that called `add_arguments`."""
        return cls(**{field.name: arguments[field.name] for field in dataclasses.fields(cls)})

    @property
    def url(self) -> str:
        """Where this machine finds the web process."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def inbox_url(self) -> str:
        return f"http://127.0.0.1:{self.inbox_port}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Options()
    parser.add_argument("--host", default=default.host, help="address of the web process (%(default)s)")
    parser.add_argument("--port", type=int, default=default.port, help="its port (%(default)s)")
    parser.add_argument(
        "--inbox-port", type=int, default=default.inbox_port, help="inbox and vendors by HTTP (%(default)s)"
    )
    parser.add_argument(
        "--smtp-port", type=int, default=default.smtp_port, help="the sandbox's mail server (%(default)s)"
    )
    parser.add_argument(
        "--smpp-port", type=int, default=default.smpp_port, help="the sandbox's SMSC (%(default)s)"
    )
    parser.add_argument("--workers", type=int, default=default.workers, help="worker processes (%(default)s)")
    parser.add_argument("--no-sandbox", dest="sandbox", action="store_false", help="real vendors only")


def run(options: Options, *, say: Say, when_ready: WhenReady) -> int:
    """Run the stack until a signal or `when_ready` ends it; answers the exit code. Raises StartError."""
    _heard.clear()
    for signum in _SIGNALS:
        signal.signal(signum, _leave)
    _check_ports(options)
    with engines() as running:
        for note in running.notes:
            say("stack", note)
        env = _environment(options, running)
        _migrate(env)
        _leave_if_told()
        return asyncio.run(_supervise(options, running, env, say, when_ready))


_heard: list[int] = []
"""Signals that came while the stack was starting."""


def _leave(signum: int, frame: FrameType | None) -> None:
    """Where Python happens to run a finalizer the exception is lost: `_leave_if_told` makes up for it."""
    _heard.append(signum)
    raise SystemExit(128 + signum)


def _leave_if_told() -> None:
    if _heard:
        raise SystemExit(128 + _heard[0])


def _check_ports(options: Options) -> None:
    wanted = {"--port": (options.host, options.port)}
    if options.sandbox:
        wanted["--inbox-port"] = ("127.0.0.1", options.inbox_port)
        wanted["--smtp-port"] = ("127.0.0.1", options.smtp_port)
        wanted["--smpp-port"] = ("127.0.0.1", options.smpp_port)
    for option, (host, port) in wanted.items():
        if not is_free(host, port):
            raise StartError(f"port {port} is in use: stop what uses it, or choose another with {option}")


def _environment(options: Options, running: Engines) -> dict[str, str]:
    addresses = {
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or options.url,
        "SANDBOX_URL": options.inbox_url,
        "SANDBOX_SMTP_PORT": str(options.smtp_port),
        "SANDBOX_SMPP_PORT": str(options.smpp_port),
        "NOTIFICATION_PRIVATE_NETWORKS": _private_networks(),  # the sandbox is on this machine
        "PYTHONUNBUFFERED": "1",
        "CELERY_SKIP_CHECKS": "1",  # `migrate` made them; here they would load the whole API
    }
    return os.environ | running.env | addresses


def _private_networks() -> str:
    return os.environ.get("NOTIFICATION_PRIVATE_NETWORKS") or "127.0.0.0/8"


def _migrate(env: Mapping[str, str]) -> None:
    command = [sys.executable, _MANAGE, "migrate", "--no-input", "--verbosity=0"]
    process = spawn(command, on_owner_death=signal.SIGKILL, env=env, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    if process.returncode != 0:
        reason = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise StartError(f"the migrations failed: {reason} (`python manage.py migrate` shows all of it)")


def _programs(options: Options) -> list[Program]:
    python = sys.executable
    web = ["-m", "uvicorn", "config.asgi:application", "--host", options.host, "--port", str(options.port)]
    celery = [python, "-m", "celery", "--quiet", "-A", "config"]
    own = ["--smtp-port", str(options.smtp_port), "--smpp-port", str(options.smpp_port)]
    sandbox = ["-m", "sandbox", "--port", str(options.inbox_port), *own]
    programs = [
        Program("web", [python, *web, "--no-access-log", *WEB_OPTIONS]),
        Program(
            "worker",
            [*celery, "worker", f"--concurrency={options.workers}", "--without-gossip", "--without-mingle"],
        ),
        Program("beat", [*celery, "beat"]),
    ]
    return [*programs, Program("sandbox", [python, *sandbox])] if options.sandbox else programs


async def _supervise(
    options: Options, running: Engines, env: Mapping[str, str], say: Say, when_ready: WhenReady
) -> int:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for signum in _SIGNALS:
        loop.add_signal_handler(signum, told.set)
    _leave_if_told()
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(_until(told)),
        asyncio.create_task(_run_to(options.url, env, when_ready)),
        asyncio.create_task(_keep_engines(running, say)),
        *(asyncio.create_task(keep_running(program, env, say)) for program in _programs(options)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        code: int = done.pop().result()
        return code
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(told: asyncio.Event) -> int:
    await told.wait()
    return 0


async def _run_to(url: str, env: Mapping[str, str], when_ready: WhenReady) -> int:
    await _await_ready(url)
    code = await when_ready(env)
    if code is None:
        await asyncio.get_running_loop().create_future()  # for ever, or until cancelled
        raise AssertionError
    return code


async def _await_ready(url: str) -> None:
    deadline, reason = time.monotonic() + _READY_WITHIN, "no answer"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status == 200:
                        return
                    reason = f"{answer.status}: {(await answer.text())[:500]}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.5)
    raise StartError(f"{url}/health/ready is not well after {_READY_WITHIN:.0f} s ({reason})")


async def _keep_engines(running: Engines, say: Say) -> int:
    engines: list[Postgres | Valkey] = [e for e in (running.postgres, running.valkey) if e is not None]
    while True:
        for engine in engines:
            if not engine.alive:
                say("stack", f"{type(engine).__name__} ended; starting it again")
                engine.start()
        await asyncio.sleep(1)
