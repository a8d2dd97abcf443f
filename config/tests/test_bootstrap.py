"""What bin/test and bin/demo say on a machine that is not ready, with stand-ins for python in PATH."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.processes import ROOT

REAL = sys.executable
OLD = "#!/bin/sh\nexit 1\n"  # as the version question is answered by a Python below 3.11
# Runs the real Python, but has no ensurepip; as Debian's does without python3-venv.
WITHOUT_VENV = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {REAL} "$@"\n'
# Makes environments whose pip finds no index.
WITHOUT_INDEX = f"""#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$4/bin"; touch "$4/pyvenv.cfg"; cp "$0" "$4/bin/python"; exit;;
    "-m pip") echo "ERROR: no index" >&2; exit 1;;
esac
exec {REAL} "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The entry points and requirements in a directory of their own, with a PATH that has no Python."""
    for name in ("bin/bootstrap.sh", "bin/test", "bin/demo", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / name).chmod(0o755)
    (tmp_path / "path").mkdir()
    for name in ("bash", "sh", "cat", "dirname", "env", "mkdir", "touch", "cp"):
        found = next(Path(d) / name for d in ("/bin", "/usr/bin") if (Path(d) / name).exists())
        (tmp_path / "path" / name).symlink_to(found)
    return tmp_path


def provide(checkout: Path, name: str, script: str) -> None:
    program = checkout / "path" / name
    program.write_text(script)
    program.chmod(0o755)


def run(checkout: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    entry, *arguments = command or ("bin/test",)
    return subprocess.run(
        [checkout / entry, *arguments],
        env={"PATH": str(checkout / "path"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    return done.stderr.strip().rpartition("\n")[2]


def make_venv(checkout: Path, script: str) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/pyvenv.cfg").touch()
    (checkout / ".venv/bin/python").write_text(script)
    (checkout / ".venv/bin/python").chmod(0o755)


@pytest.mark.parametrize("entry", ["bin/test", "bin/demo"])
def test_it_asks_for_python(checkout: Path, entry: str) -> None:
    assert last_line(run(checkout, entry)).startswith(
        "error: Carillon needs Python 3.11 or newer and found none"
    )


def test_it_asks_for_a_newer_python(checkout: Path) -> None:
    provide(checkout, "python3", OLD)
    assert "Python 3.11 or newer" in last_line(run(checkout))


def test_it_asks_for_the_venv_module(checkout: Path) -> None:
    provide(checkout, "python3", OLD)
    provide(checkout, "python3.12", WITHOUT_VENV)
    line = last_line(run(checkout))
    assert "python3.12 has no venv module" in line
    assert "apt install python3-venv" in line


def test_it_says_that_pip_failed_and_tries_again_the_next_time(checkout: Path) -> None:
    provide(checkout, "python3", WITHOUT_INDEX)
    for _ in range(2):
        assert last_line(run(checkout)).startswith("error: pip could not install requirements-dev.txt")


def test_it_makes_a_half_made_environment_anew(checkout: Path) -> None:
    provide(checkout, "python3", WITHOUT_INDEX)
    make_venv(checkout, OLD)
    done = run(checkout)
    assert f"Making a virtual environment in {checkout}/.venv" in done.stderr
    assert (checkout / ".venv/bin/python").read_text() == WITHOUT_INDEX


def test_it_leaves_a_directory_alone_that_is_no_environment(checkout: Path) -> None:
    provide(checkout, "python3", WITHOUT_INDEX)
    (checkout / "precious").mkdir()
    line = last_line(run(checkout, CARILLON_VENV=str(checkout / "precious")))
    assert "is no virtual environment" in line
    assert list((checkout / "precious").iterdir()) == []


def test_it_installs_once(checkout: Path) -> None:
    """The stand-in notes what it is asked to run: pip the first time, only the tests the second."""
    notes = checkout / "notes"
    script = f'#!/bin/sh\ncase "$1" in -m) echo "$2" >>{notes}; exit;; esac\nexec {REAL} "$@"\n'
    make_venv(checkout, script)
    for _ in range(2):
        assert run(checkout).returncode == 0
    assert notes.read_text().split() == ["pip", "pytest", "pytest"]


def test_it_installs_again_when_a_pin_changes(checkout: Path) -> None:
    notes = checkout / "notes"
    make_venv(checkout, f'#!/bin/sh\ncase "$1" in -m) echo "$2" >>{notes}; exit;; esac\nexec {REAL} "$@"\n')
    run(checkout)
    with (checkout / "requirements.txt").open("a") as file:
        file.write("another==1\n")
    run(checkout)
    assert notes.read_text().split() == ["pip", "pytest", "pip", "pytest"]


def test_it_passes_arguments_and_the_exit_code_on(checkout: Path) -> None:
    make_venv(
        checkout,
        f'#!/bin/sh\ncase "$1" in -m) exit 0;; manage.py) echo "$*"; exit 3;; esac\nexec {REAL} "$@"\n',
    )
    done = run(checkout, "bin/demo", "--once", "--port", "9000")
    assert (done.returncode, done.stdout) == (3, "manage.py demo --once --port 9000\n")
