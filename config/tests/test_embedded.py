"""The engines, as their owners meet them: started, stopped, killed, left behind, side by side."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import Engines, StartError, Valkey, engines, throwaway_engines
from config.embedded import home as homes
from config.embedded.postgres import Postgres
from config.tests.processes import ROOT, wait_until, working_in

OWNER = """
import time
from config.embedded import engines
with engines():
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def throwaway() -> Iterator[Engines]:
    with throwaway_engines() as running:
        yield running


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def owner_process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def remember(running: Engines, word: str) -> None:
    with psycopg.connect(running.env["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(running: Engines) -> list[str]:
    with psycopg.connect(running.env["DATABASE_URL"]) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words")]


def test_it_works(home: Path) -> None:
    with engines() as running:
        remember(running, "bell")
        assert redis.Redis.from_url(running.env["REDIS_URL"]).set("a", 1)
        assert (setting(running, "fsync"), setting(running, "synchronous_commit")) == ("on", "on")
        assert (home / homes.SERVICES).exists()
    assert not (home / homes.SERVICES).exists()
    assert working_in(home) == []
    with engines() as running:
        assert words(running) == ["bell"]


def setting(running: Engines, name: str) -> str:
    with psycopg.connect(running.env["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_it_is_tuned_for_a_stack(throwaway: Engines) -> None:
    assert (setting(throwaway, "max_connections"), setting(throwaway, "shared_buffers")) == ("200", "256MB")


def test_it_spares_throwaway_data_the_wait_for_the_disk(throwaway: Engines) -> None:
    assert (setting(throwaway, "fsync"), setting(throwaway, "synchronous_commit")) == ("off", "on")


def test_it_leaves_nothing_of_throwaway_engines() -> None:
    with throwaway_engines() as running:
        ground = Path(running.env["CARILLON_HOME"])
        assert len(working_in(ground)) > 2
    assert not ground.exists()
    assert working_in(ground) == []


def test_it_uses_each_address_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://db.example/carillon")
    with engines() as running:
        assert running.postgres is None
        assert running.env["DATABASE_URL"] == "postgres://db.example/carillon"
        assert redis.Redis.from_url(running.env["REDIS_URL"]).ping()


def test_it_does_not_take_a_left_address_for_a_given_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://gone")  # as settings.py does with what it reads in the file
    assert homes.given("REDIS_URL", home) == "redis://gone"
    home.mkdir()
    (home / homes.SERVICES).write_text("REDIS_URL=redis://gone\n")
    assert homes.given("REDIS_URL", home) is None


def test_it_keeps_secrets_to_itself(home: Path) -> None:
    first = _made_secrets(home)
    assert _made_secrets(home) == first
    assert (home / homes.SECRETS).stat().st_mode & 0o777 == 0o600


def _made_secrets(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    return homes.ensure_secrets(home)


def test_it_prefers_the_secrets_of_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _made_secrets(home)
    monkeypatch.setenv("SECRET_KEY", "mine")
    assert homes.ensure_secrets(home) == made | {"SECRET_KEY": "mine"}


def test_it_refuses_a_home_in_use(home: Path) -> None:
    with (
        homes.owned(home),
        pytest.raises(StartError, match=rf"process {os.getpid()}\).*CARILLON_HOME"),
        engines(home),
    ):
        pytest.fail("two owners")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_owner(home: Path, signum: signal.Signals) -> None:
    with owner_process() as owner:
        owner.send_signal(signum)
        owner.wait()
        wait_until(lambda: working_in(home) == [])


def test_it_replaces_what_a_killed_owner_left(home: Path) -> None:
    """As on a system that does not end them with their owner: they are there when the next one starts."""
    with engines() as running:
        remember(running, "bell")
    orphan = _start_orphan(home)
    with engines() as running:
        assert orphan.wait(60) == 0
        assert words(running) == ["bell"]


def _start_orphan(home: Path) -> subprocess.Popen[bytes]:
    postgres = Postgres(home)
    postgres.start()
    assert postgres._process is not None
    return postgres._process


def test_it_runs_side_by_side(throwaway: Engines) -> None:
    with throwaway_engines() as other:
        remember(throwaway, "one")
        remember(other, "other")
        assert (words(throwaway), words(other)) == (["one"], ["other"])
        assert throwaway.env["REDIS_URL"] != other.env["REDIS_URL"]


def test_it_comes_back_with_all_that_was_committed(throwaway: Engines) -> None:
    assert throwaway.postgres is not None
    for word in ("two", "three"):
        remember(throwaway, word)
        throwaway.postgres.restart()
    assert words(throwaway)[-2:] == ["two", "three"]


def test_it_brings_valkey_back_empty_at_the_same_address(valkey: Valkey) -> None:
    client = redis.Redis.from_url(valkey.url)
    client.set("a", 1)
    valkey.restart()
    assert client.get("a") is None


def test_it_asks_for_a_password(valkey: Valkey) -> None:
    with (
        redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")
def test_it_keeps_the_data_elsewhere_when_root_works_where_others_may_not_enter(
    tmp_path: Path, home: Path
) -> None:
    tmp_path.chmod(0o700)
    with engines(tmp_path / "home") as running:
        assert running.postgres is not None
        ground = running.postgres.directory
        remember(running, "bell")
        assert running.notes == [
            f"PostgreSQL does not run as root, others may not enter {tmp_path / 'home'}: data in {ground}"
        ]
    shutil.rmtree(ground)


def test_it_works_in_a_home_with_a_long_path(home: Path) -> None:
    """The path of a Unix socket has at most 107 bytes."""
    deep = home / ("long" * 30)
    with engines(deep) as running:
        remember(running, "bell")
        sockets = Path(running.env["DATABASE_URL"].split("host=")[1])
        assert not sockets.is_relative_to(deep)
    assert not sockets.exists()


def test_it_says_what_to_do_about_a_home_it_cannot_write(home: Path) -> None:
    home.touch()
    with pytest.raises(StartError, match=r"cannot write to .*CARILLON_HOME"), engines(home / "inside"):
        pass


def run_command(*command: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "-m", "config.embedded", "run", "--", *command]
    return subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_runs_a_command_and_passes_its_exit_code() -> None:
    done = run_command("sh", "-c", "echo $CARILLON_HOME; exit 7")
    assert done.returncode == 7
    assert not Path(done.stdout.strip()).exists()


def test_it_says_that_a_command_is_missing() -> None:
    done = run_command("no-such-command")
    assert done.returncode == 1
    assert "no-such-command" in done.stderr
