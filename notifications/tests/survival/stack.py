"""A whole installation of its own, made of real processes, to be broken on purpose.

Engines and processes must be started from the main thread: they end with it, however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from config.embedded import Postgres, Valkey, throwaway_engines
from config.embedded.valkey import free_port
from config.processes import end, spawn
from config.stack import WEB_OPTIONS
from config.tests.processes import ROOT, wait_until
from sandbox.testing import RunningSandbox, running_sandbox

APP = "config"
ASGI = "config.asgi:application"
POOL = 2  # processes in a worker's pool
LEASE = 8  # seconds: short, so that what is lost is found while a test waits; long for a busy machine
SETTINGS = {
    "NOTIFICATION_LEASE_SECONDS": str(LEASE),
    "NOTIFICATION_SEND_TIMEOUT": "3",
    "NOTIFICATION_CHUNK_SIZE": "25",
    "NOTIFICATION_SEND_CONCURRENCY": "10",
    "LOG_LEVEL": "WARNING",
}
RUNS = "survival:runs"
"""A hash in Valkey: how often each task ran that `twice` published."""
STARTS = 90  # seconds that a process of ours may take to start on a busy machine

_number = count(1)


class Process:
    """A program of the stack and what it said."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], home: Path) -> None:
        self.name = f"{name}-{next(_number)}"
        self.log = home / f"{self.name}.log"
        with self.log.open("wb") as output:
            self._process = spawn(
                [sys.executable, "-m", *command],
                on_owner_death=signal.SIGKILL,
                env=env | {"PGAPPNAME": self.name},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def children(self) -> list[psutil.Process]:
        """Its pool, less those that have died and nobody has buried yet."""
        with suppress(psutil.NoSuchProcess):
            return [child for child in psutil.Process(self._process.pid).children() if _lives(child)]
        return []

    def wait_for_pool(self) -> None:
        wait_until(lambda: not self.alive or len(self.children) >= POOL, STARTS)
        assert self.alive, self.log.read_text()

    def kill(self) -> None:
        """kill -9: it can tell nobody."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        end(self._process, signal.SIGTERM, 10)

    def freeze(self) -> None:
        """Hung, with all its children: alive to the machine, silent to everybody else."""
        for pid in (self._process.pid, *(child.pid for child in self.children)):
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in (*(child.pid for child in self.children), self._process.pid):
            _signal(pid, signal.SIGCONT)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _signal(pid: int, signum: signal.Signals) -> None:
    """One that has ended meanwhile is no reason to leave the others frozen."""
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


@dataclass(frozen=True)
class Stack:
    """Engines, a web process and a sandbox that run; workers and beats are each test's own."""

    postgres: Postgres
    valkey: Valkey
    sandbox: RunningSandbox
    env: dict[str, str]
    home: Path
    url: str
    key: str

    @contextmanager
    def worker(self, app: str = APP, *, lease: int = LEASE) -> Iterator[Process]:
        """A worker whose pool has been forked. `lease` is in seconds."""
        node = f"--hostname=worker-{next(_number)}@%h"
        options = [f"--concurrency={POOL}", "--without-gossip", "--without-mingle", node]
        command = ["celery", "--quiet", "-A", app, "worker", *options]
        env = self.env | {"NOTIFICATION_LEASE_SECONDS": str(lease)}
        with _process("worker", command, env, self.home) as worker:
            worker.wait_for_pool()
            yield worker

    @contextmanager
    def beat(self, app: str = APP) -> Iterator[Process]:
        with _process("beat", ["celery", "--quiet", "-A", app, "beat"], self.env, self.home) as beat:
            yield beat

    @contextmanager
    def web(self, app: str = ASGI) -> Iterator[str]:
        """Another web process, and its address."""
        with _web(self.env, self.home, free_port(), app) as url:
            yield url

    def ask(self, statement: str, **params: Any) -> list[tuple[Any, ...]]:
        """What the database says, over a connection of its own; nothing while it is away."""
        try:
            with psycopg.connect(self.postgres.url) as connection:
                return connection.execute(statement, params).fetchall()
        except psycopg.OperationalError:
            return []

    def is_ready(self) -> bool:
        return _answers(f"{self.url}/health/ready")


@contextmanager
def running_stack() -> Iterator[Stack]:
    """A migrated and seeded installation with a web process."""
    with ExitStack() as stack:
        engines = stack.enter_context(throwaway_engines())
        assert engines.postgres is not None
        assert engines.valkey is not None
        sandbox = stack.enter_context(running_sandbox())
        home, port = Path(engines.env["CARILLON_HOME"]), free_port()
        url = f"http://127.0.0.1:{port}"
        own = {
            "PUBLIC_URL": url,
            "SANDBOX_URL": sandbox.http_url,
            "SANDBOX_SMTP_PORT": str(sandbox.smtp_port),
            "SANDBOX_SMPP_PORT": str(sandbox.ports["smpp"]),
            "PYTHONUNBUFFERED": "1",
            "CELERY_SKIP_CHECKS": "1",
        }
        env = os.environ | engines.env | own | SETTINGS
        for command in (("migrate", "--verbosity=0"), ("seed", "database")):
            _manage(env, *command)
        key = _manage(env, "create_api_key", "demo").split()[-1]
        stack.enter_context(_web(env, home, port, ASGI))
        yield Stack(engines.postgres, engines.valkey, sandbox, env, home, url, key)


def _manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _web(env: dict[str, str], home: Path, port: int, app: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    with _process(
        "web", ["uvicorn", app, f"--port={port}", "--no-access-log", *WEB_OPTIONS], env, home
    ) as web:
        wait_until(lambda: not web.alive or _answers(f"{url}/health"), STARTS)
        assert web.alive, web.log.read_text()
        yield url


@contextmanager
def _process(name: str, command: Sequence[str], env: dict[str, str], home: Path) -> Iterator[Process]:
    process = Process(name, command, env, home)
    try:
        yield process
    finally:
        process.thaw()
        process.stop()


def _answers(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(url, timeout=5).status_code == 200
    return False
