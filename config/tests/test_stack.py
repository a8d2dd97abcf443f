"""`manage.py up`, as a person runs it: with real processes, on ports of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.embedded.valkey import free_port
from config.stack import Options
from config.tests.processes import ROOT, belonging_to, wait_until, working_in

STARTS = 60  # seconds; four Django processes on a busy machine


@contextlib.contextmanager
def stack(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A stack that has said that it is ready, and its address."""
    port = free_port()
    ports = [
        f"--port={port}",
        f"--inbox-port={free_port()}",
        f"--smtp-port={free_port()}",
        f"--smpp-port={free_port()}",
    ]
    command = [sys.executable, "manage.py", "up", *ports, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        await_line(process, f"ready http://127.0.0.1:{port}")
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        wait_until(lambda: belonging_to(home) == [])


def await_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    seen = []
    late = threading.Timer(STARTS, process.kill)
    late.start()
    for line in process.stdout:
        seen.append(line)
        if wanted in line:
            late.cancel()
            return
    pytest.fail(f"no line {wanted!r} in:\n{''.join(seen)}")


def ended_by(process: subprocess.Popen[str], signum: signal.Signals) -> int:
    assert process.stdout is not None
    process.send_signal(signum)
    for _ in process.stdout:
        pass
    return process.wait()


def up(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "up", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def named(home: Path, word: str) -> list[psutil.Process]:
    return [process for process in belonging_to(home) if word in process.cmdline()]


def test_it_works(home: Path) -> None:
    with stack(home) as (process, url):
        assert urllib.request.urlopen(f"{url}/health/ready").status == 200
        assert {len(named(home, word)) > 0 for word in ("worker", "beat", "sandbox", "uvicorn")} == {True}
        assert ended_by(process, signal.SIGINT) == 0
        assert belonging_to(home) == working_in(home) == []
        assert not (home / "services.env").exists()


@pytest.mark.chaos
def test_it_leaves_nothing_after_sigterm(home: Path) -> None:
    with stack(home) as (process, _):
        assert ended_by(process, signal.SIGTERM) == 0
        assert belonging_to(home) == working_in(home) == []


@pytest.mark.chaos
def test_it_leaves_nothing_after_kill(home: Path) -> None:
    with stack(home) as (process, _):
        process.kill()
        wait_until(lambda: belonging_to(home) == working_in(home) == [], seconds=10)


@pytest.mark.chaos
def test_it_starts_again_what_was_killed(home: Path) -> None:
    with stack(home, "--no-sandbox") as (_, url):
        assert named(home, "sandbox") == []
        for word in ("uvicorn", "beat", "worker"):
            named(home, word)[0].kill()
        [valkey] = [process for process in working_in(home) if process.name() == "valkey-server"]
        valkey.kill()
        wait_until(lambda: answers(f"{url}/health/ready"), seconds=30)
        wait_until(lambda: bool(named(home, "beat") and named(home, "worker")), seconds=30)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    return False


@pytest.mark.parametrize("option", ["--port", "--inbox-port", "--smtp-port", "--smpp-port"])
def test_it_says_which_port_is_in_use_and_what_to_change(home: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ("--port", "--inbox-port", "--smtp-port", "--smpp-port")
        ports = {name: port if name == option else free_port() for name in options}
        done = up(*(f"{name}={number}" for name, number in ports.items()))
    assert done.returncode == 1
    assert f"port {port} is in use: stop what uses it, or choose another with {option}" in done.stderr
    assert not home.exists()


def test_it_says_why_it_cannot_migrate(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://nobody@127.0.0.1:{free_port()}/none")
    done = up(f"--port={free_port()}", "--no-sandbox")
    assert done.returncode == 1
    assert "the migrations failed" in done.stderr
    assert belonging_to(home) == working_in(home) == []


@pytest.mark.parametrize(("host", "url"), [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000")])
def test_it_finds_a_web_process_that_listens_everywhere(host: str, url: str) -> None:
    assert Options(host=host).url == url


def test_it_has_two_to_four_workers_unless_told() -> None:
    assert Options().workers == max(2, min(4, os.cpu_count() or 2))
