import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.testing import running_sandbox
from sandbox.vendors import discover

ROOT = Path(__file__).parents[2]
AT_ONCE = 8  # seconds: less than it would wait for its clients, more than a busy machine takes


def start(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sandbox", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        yield busy.getsockname()[1]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_works_until_told_to_stop(signum: signal.Signals) -> None:
    """At once, even with a page listening, a mail connection open and a request held without an answer."""
    with start("--port", "0", "--smtp-port", "0", "--smpp-port", "0") as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:3] == ["sandbox", "ready:", "inbox"]
        url, mail = ready[3], ready[ready.index("smtp") + 1]
        smtp_port = int(mail.rpartition(":")[2])
        requests.put(f"{url}/api/faults/twilio", json={"accept_then_timeout": True}, timeout=30)
        sms = b"To=%2B15551234567&From=%2B15005550006&Body=hi"
        path = "/2010-04-01/Accounts/AC1/Messages.json"
        with (
            requests.get(f"{url}/api/stream", stream=True, timeout=30) as stream,
            smtplib.SMTP("127.0.0.1", smtp_port, timeout=30) as client,
        ):
            assert next(stream.iter_lines())
            client.noop()
            with pytest.raises(requests.exceptions.ReadTimeout):
                requests.post(url + path, sms, auth=("AC1", "x"), timeout=0.2)
            process.send_signal(signum)
            assert process.wait(AT_ONCE) == 0
            client.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(("option", "other"), [("--port", "--smtp-port"), ("--smtp-port", "--port")])
def test_it_says_which_port_is_taken(option: str, other: str) -> None:
    with taken_port() as port, start(option, str(port), other, "0", "--smpp-port", "0") as process:
        out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert error.count("\n") == 1
    assert f"127.0.0.1:{port}" in error
    assert "already in use" in error
    assert f"choose another with {option}" in error


def test_it_needs_nothing_of_ours() -> None:
    ours = "django", "config", "delivery", "notifications", "tenants"
    script = f"import sys, sandbox.__main__, sandbox.testing; sys.exit(str(sys.modules.keys() & {set(ours)}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "set()"


def test_it_finds_its_vendors() -> None:
    assert {"smtp", "twilio"} <= {vendor.name for vendor in discover()}


def test_several_run_side_by_side() -> None:
    with running_sandbox() as one, running_sandbox() as other:
        one.fault("twilio", status=503)
        with smtplib.SMTP("127.0.0.1", one.smtp_port, timeout=30) as client:
            client.sendmail("a@example.com", ["b@example.com"], b"Subject: one\r\n\r\n")
        assert [message["subject"] for message in one.messages()] == ["one"]
        assert other.messages() == []
        one.clear()
        assert one.messages() == []
