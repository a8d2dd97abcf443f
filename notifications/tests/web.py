"""A real web process, and browser tabs connected to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import orjson
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from config.embedded.valkey import free_port
from config.processes import end, spawn
from config.stack import WEB_OPTIONS

PATIENCE = 10
DEADLINE = 60  # seconds; a process of ours takes ten to start on a busy machine


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


@contextmanager
def web_process(log: Path, port: int = 0, /, **env: str) -> Iterator[str]:
    """uvicorn on the tests' database; yields its address, `127.0.0.1:port`."""
    with web_server(log, port, **env) as web:
        yield web.address


@contextmanager
def site(answers: Mapping[str, tuple[str, bytes]]) -> Iterator[str]:
    """Somebody else's web server, with these content types and bodies by path; yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = answers.get(self.path, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class WebServer:
    address: str
    process: subprocess.Popen[bytes]


@contextmanager
def web_server(log: Path, port: int = 0, /, **env: str) -> Iterator[WebServer]:
    """`web_process`, and the process itself, to be looked into or killed."""
    address = f"127.0.0.1:{port or free_port()}"
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--port",
        address.partition(":")[2],
        *WEB_OPTIONS,
    ]
    with log.open("wb") as output:
        process = spawn(
            command,
            on_owner_death=signal.SIGKILL,
            env=_environment(env),
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: process.poll() is not None or _answers(address), "the web process answers")
        assert process.poll() is None, log.read_text()
        yield WebServer(address, process)
    finally:
        end(process, signal.SIGTERM, PATIENCE)


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {**os.environ, "DATABASE_URL": database.geturl(), **env}


def _answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def chromium() -> str:
    """The system's: Playwright would download one of its own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert found, "install Chromium, or name one in CHROMIUM"
    return found


class Tab:
    """One socket, and the frames that came."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, frame_type: str, data: Mapping[str, Any] | None = None, **members: Any) -> None:
        """`data` may hold UUIDs."""
        frame = {"type": frame_type, **({} if data is None else {"data": data}), **members}
        self.socket.send(orjson.dumps(frame).decode())

    def next(self) -> dict[str, Any]:
        frame: dict[str, Any] = orjson.loads(self.socket.recv(timeout=DEADLINE))
        return frame

    def hear(self, frame_type: str) -> dict[str, Any]:
        """The next frame of that type; those before it are passed over."""
        deadline = time.monotonic() + DEADLINE
        while (frame := self.next())["type"] != frame_type:
            assert time.monotonic() < deadline, f"no {frame_type} came"
        return frame

    def closed(self) -> int | None:
        """Wait for the server to close it; the code."""
        deadline = time.monotonic() + DEADLINE
        try:
            while time.monotonic() < deadline:
                self.socket.recv(timeout=DEADLINE)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        raise AssertionError("the socket stays open")


@contextmanager
def open_tab(
    address: str, token: str | None = None, *, query: str = "", max_queue: int | None = None
) -> Iterator[Tab]:
    """`max_queue`: how many frames it takes in before somebody asks for them."""
    offered = [Subprotocol("carillon.v1"), Subprotocol(f"bearer.{token}")] if token else None
    url = f"ws://{address}/ws/notifications/{query}"
    with connect(url, subprotocols=offered, proxy=None, compression=None, max_queue=max_queue) as socket:
        yield Tab(socket)
