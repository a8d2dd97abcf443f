"""The benchmark as a person runs it: small, but with every process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from bench.ledger import Ledger
from config.tests.processes import ROOT

pytestmark = pytest.mark.timeout(300)


def balances(told: Any) -> bool:
    return {(own["missing"], own["duplicates"], own["unsettled"]) for own in told["ledgers"].values()} == {
        (0, 0, 0)
    }


def own_engines() -> dict[str, str]:
    """An environment for a run on engines of its own: those of the tests are not for it."""
    return {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}


@contextmanager
def pipeline(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A run in its first round."""
    env = own_engines()
    command = [sys.executable, "-m", "bench", "pipeline", "--json", *arguments]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=env, **pipes) as process:
        try:
            assert process.stderr is not None
            seen = []
            for line in process.stderr:
                seen.append(line)
                if line.startswith("round 1"):
                    break
            assert process.poll() is None, "".join(seen)
            yield process
        finally:
            process.kill()


def assert_nothing_is_left(members: list[psutil.Process], home: Path) -> None:
    gone, alive = psutil.wait_procs(members, timeout=60)
    assert gone
    assert alive == []
    assert not home.exists()


def members_of(process: subprocess.Popen[str]) -> tuple[list[psutil.Process], Path]:
    """Every process of the run, and where its engines keep their data."""
    members = psutil.Process(process.pid).children(recursive=True)
    measuring = next(member for member in members if "bench.rounds" in member.cmdline())
    return members, Path(measuring.environ()["CARILLON_HOME"])


@pytest.mark.chaos
def test_it_works() -> None:
    with pipeline("--n=400") as process:
        members, home = members_of(process)
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        assert_nothing_is_left(members, home)
    told = orjson.loads(out)
    rates = ("end_to_end_per_s", "accept_per_s", "baseline_per_s", "limit_per_s", "peak_rss_mb")
    assert {name: told[name] > 0 for name in rates} == dict.fromkeys(rates, True)
    assert 0 < told["urgent_ms"]["p50"] <= told["urgent_ms"]["p95"] <= told["urgent_ms"]["p99"]
    assert told["ledgers"]["pipeline"]["expected"] == 400 + told["urgent_sent"]
    assert balances(told)
    assert told["peak_mb"].keys() >= {"web", "worker", "beat", "postgres", "valkey", "sink", "client"}


@pytest.mark.chaos
def test_it_measures_other_channels() -> None:
    with pipeline("--n=400", "--channel=email") as process:
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    told = orjson.loads(out)
    assert balances(told)
    assert told["baseline_per_s"] > 0 < told["limit_per_s"]


@pytest.mark.chaos
def test_it_leaves_nothing_after_ctrl_c() -> None:
    with pipeline("--n=20000") as process:
        members, home = members_of(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 128 + signal.SIGINT
        assert_nothing_is_left(members, home)


def test_it_counts_what_is_missing_and_what_came_twice() -> None:
    came = {"ann": [1.0, 2.0], "bob": [1.0], "mallory": [3.0]}
    ledger = Ledger.of(["ann", "bob", "eve"], came, unsettled=0)
    assert (ledger.expected, ledger.missing, ledger.duplicates) == (3, 1, 2)
    assert not ledger.balances
    assert Ledger.of(["ann", "ann"], {"ann": [1.0, 2.0]}, unsettled=0).balances
    assert not Ledger.of(["ann"], {"ann": [1.0]}, unsettled=1).balances


@pytest.mark.parametrize("wrong", ["--n=0", "--channel=pigeon", "--workers=none"])
def test_it_says_what_it_cannot_measure(wrong: str) -> None:
    command = [sys.executable, "-m", "bench", "pipeline", wrong]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"argument {wrong.partition('=')[0]}" in done.stderr


def test_it_measures_rendering() -> None:
    command = [sys.executable, "-m", "bench", "rendering", "welcome", "--n", "50", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    compiled, once_a_message = orjson.loads(done.stdout)["mails"]
    assert (compiled["what"], once_a_message["what"]) == ("welcome", "welcome, once a message")
    assert compiled["size"] > 1_000


@pytest.mark.chaos
def test_it_measures_the_live_feed() -> None:
    """Everything that was pushed came, to every socket of its user, also by the yardsticks."""
    small = ("--sockets=40", "--users=20", "--messages=2000", "--stored=1000", "--rate=2000", "--rounds=1")
    command = [sys.executable, "-m", "bench", "realtime", "--json", *small]
    done = subprocess.run(command, cwd=ROOT, env=own_engines(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert {one["server"] for one in told["servers"]} == {"carillon", "bare hub", "bare channels"}
    for one in told["servers"]:
        assert 0 < one["p50_ms"] <= one["p99_ms"]
        assert (one["sockets"], one["missing"], one["per_s"] > 0) == (40, 0, True)
    assert told["complete"]
    assert told["stored"]["per_s"] > 0 < told["resume_500_ms"]
