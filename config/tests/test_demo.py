"""`bin/demo`, as a person runs it: the whole tour, on ports of its own."""

import json
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.embedded.valkey import free_port
from config.tests.processes import ROOT, belonging_to, wait_until, working_in
from config.tests.test_stack import answers

TAKES = 300  # seconds, on a busy machine


@contextmanager
def demo(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """It, begun, and the port of its sandbox. It ends with the block."""
    inbox = free_port()
    ports = [
        f"--port={free_port()}",
        f"--inbox-port={inbox}",
        f"--smtp-port={free_port()}",
        f"--smpp-port={free_port()}",
    ]
    command = [str(ROOT / "bin/demo"), *ports, *arguments]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process, inbox
        finally:
            process.kill()


def break_account(inbox: int, name: str) -> None:
    """From the first moment of the sandbox, long before the tour begins."""
    wait_until(lambda: answers(f"http://127.0.0.1:{inbox}/health"), seconds=TAKES)
    url = f"http://127.0.0.1:{inbox}/api/faults/{name}"
    body = json.dumps({"reject": True}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")) as answer:
        assert answer.status == 200


@contextmanager
def killed_when_late(process: subprocess.Popen[str]) -> Iterator[None]:
    late = threading.Timer(TAKES, process.kill)
    late.start()
    try:
        yield
    finally:
        late.cancel()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, and what it said."""
    with killed_when_late(process):
        said, complained = process.communicate()
    return process.returncode, said, complained


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stdout is not None
    said = []
    with killed_when_late(process):
        for line in process.stdout:
            said.append(line)
            if wanted in line:
                return "".join(said)
    pytest.fail(f"no line {wanted!r} in:\n{''.join(said)}")


@pytest.mark.chaos
@pytest.mark.timeout(3 * TAKES)
def test_it_works_also_the_second_time(home: Path) -> None:
    for _ in range(2):
        with demo("--once") as (process, _):
            code, said, complained = ended(process)
        assert code == 0, said + complained
        assert "Everything arrived, nothing twice, and the books balance." in said
        assert "deferred: quiet_hours, until " in said
        assert "suppressed: category_off" in said
        assert "\x1b" not in said
        assert belonging_to(home) == working_in(home) == []
    assert "sandbox ready" in (home / "demo.log").read_text()


@pytest.mark.chaos
@pytest.mark.timeout(2 * TAKES)
def test_it_says_what_was_missing(home: Path) -> None:
    with demo("--once") as (process, inbox):
        break_account(inbox, "sandbox-smtp")
        code, said, _ = ended(process)
    assert code == 1
    assert "Something is missing here" in said
    lines = " ".join(said.split())
    assert "missing: One request, three channels: email: arrived 0 times, not once" in lines
    assert "missing: A phone that takes no SMS: email: its delivery is failed, not sent" in lines
    assert "missing: Kim switches them off: it never came" in lines
    assert "missing: three comments; their ten minutes are cut short: no mail" in lines
    assert "A provider is down: " not in lines
    assert belonging_to(home) == []


@pytest.mark.chaos
@pytest.mark.timeout(2 * TAKES)
def test_it_stays_up_until_it_is_told_to_stop(home: Path) -> None:
    with demo() as (process, inbox):
        said = read_until(process, "Press Ctrl-C")
        assert "user admin, password admin" in said
        assert answers(f"http://127.0.0.1:{inbox}/health")
        process.send_signal(signal.SIGINT)
        code, rest, _ = ended(process)
    assert (code, rest.strip()) == (0, "Stopping everything…")
    assert belonging_to(home) == working_in(home) == []


@pytest.mark.chaos
@pytest.mark.timeout(2 * TAKES)
@pytest.mark.parametrize("moment", ["Starting", "A provider is down"])
def test_it_does_not_succeed_when_it_is_interrupted(home: Path, moment: str) -> None:
    with demo("--once") as (process, _):
        read_until(process, moment)
        process.send_signal(signal.SIGINT)
        code, said, complained = ended(process)
    assert code == 128 + signal.SIGINT
    assert "missing" not in said
    assert "Traceback" not in said + complained
    assert belonging_to(home) == working_in(home) == []


def test_it_says_which_port_is_in_use(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(f"--port={port}") as (process, _):
            code, _, complained = ended(process)
    assert code == 1
    assert f"port {port} is in use: stop what uses it, or choose another with --port" in complained
    assert not home.exists()


@pytest.mark.chaos
def test_it_says_where_the_reason_can_be_read(home: Path) -> None:
    """A sandbox that cannot start: it is to listen twice on one port."""
    port = free_port()
    ports = (f"--inbox-port={port}", f"--smtp-port={port}", f"--smpp-port={free_port()}")
    with demo("--once", *ports) as (process, _):
        code, _, complained = ended(process)
    assert code == 1
    assert "sandbox keeps dying at its start" in complained
    assert f"what the processes said is in {home / 'demo.log'}" in complained
    assert belonging_to(home) == []


def test_it_needs_the_sandbox() -> None:
    with pytest.raises(CommandError, match="the tour needs the sandbox"):
        call_command("demo", "--no-sandbox")
