"""`manage.py up`, as a person runs it: with real processes, on ports of its own."""

import contextlib
import dataclasses
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

from config.embedded import StartError
from config.embedded.valkey import free_port
from config.stack import Options, _check_ports
from config.tests.processes import ROOT, belonging_to, wait_until, working_in

STARTS = 150  # seconds; four Django processes on a very busy machine
PROGRAMS = ("worker", "beat", "sandbox", "uvicorn")


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
    command = [sys.executable, "manage.py", "up", "--workers=1", *ports, *arguments]
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


@pytest.mark.chaos
@pytest.mark.timeout(4 * STARTS)
def test_it_works(home: Path) -> None:
    with stack(home) as (process, url):
        assert urllib.request.urlopen(f"{url}/health/ready").status == 200
        assert {len(named(home, word)) > 0 for word in PROGRAMS} == {True}
        kill_everything(home)
        wait_until(lambda: answers(f"{url}/health/ready"), seconds=STARTS)
        wait_until(lambda: all(named(home, word) for word in PROGRAMS), seconds=STARTS)
        assert ended_by(process, signal.SIGINT) == 0
        assert belonging_to(home) == working_in(home) == []
        assert not (home / "services.env").exists()


def kill_everything(home: Path) -> None:
    """But PostgreSQL, which keeps its data: that it recovers is told elsewhere."""
    killed = [process for word in PROGRAMS for process in named(home, word)]
    killed += [process for process in working_in(home) if process.name() == "valkey-server"]
    assert len(killed) > len(PROGRAMS)
    for process in killed:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with its parent
            process.kill()
    psutil.wait_procs(killed, timeout=STARTS)


@pytest.mark.chaos
@pytest.mark.timeout(4 * STARTS)
def test_it_leaves_nothing_after_sigterm(home: Path) -> None:
    with stack(home, "--no-sandbox") as (process, _):
        assert named(home, "sandbox") == []
        assert ended_by(process, signal.SIGTERM) == 0
        assert belonging_to(home) == working_in(home) == []


@pytest.mark.chaos
@pytest.mark.timeout(4 * STARTS)
def test_it_leaves_nothing_after_kill(home: Path) -> None:
    with stack(home) as (process, _):
        process.kill()
        wait_until(lambda: belonging_to(home) == working_in(home) == [], seconds=STARTS)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    return False


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_it_says_which_port_is_in_use(home: Path, taken: int) -> None:
    done = up(f"--port={taken}")
    assert done.returncode == 1
    assert f"port {taken} is in use: stop what uses it, or choose another with --port" in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("option", ["port", "inbox_port", "smtp_port", "smpp_port"])
def test_it_says_what_to_change(taken: int, option: str) -> None:
    all_free = Options(port=free_port(), inbox_port=free_port(), smtp_port=free_port(), smpp_port=free_port())
    choose = f"port {taken} is in use: .* with --{option.replace('_', '-')}$"
    with pytest.raises(StartError, match=choose):
        _check_ports(dataclasses.replace(all_free, **{option: taken}))  # type: ignore[arg-type]  # a port


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
