"""`.env.example` against `settings.py`: neither names a setting that the other does not."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()
ASSIGNMENT = re.compile(r"^(# )?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)


def read_by_settings() -> set[str]:
    """The first argument of each `env.…()` call and of `os.environ.get()`."""
    tree = ast.parse((settings.BASE_DIR / "config" / "settings.py").read_text())
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) in ("env", "os.environ")
        and isinstance(node.args[0], ast.Constant)
    }


def test_it_works() -> None:
    assert {name for _, name, _ in ASSIGNMENT.findall(EXAMPLE)} == read_by_settings()


def test_it_names_each_setting_once() -> None:
    names = [name for _, name, _ in ASSIGNMENT.findall(EXAMPLE)]

    assert len(names) == len(set(names))


def test_it_explains_each_setting() -> None:
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if ASSIGNMENT.match(line):
            before = lines[number - 1]
            assert before.startswith("# "), line
            assert not ASSIGNMENT.match(before), line


SHOW = """
import json, sys, django.conf
print(json.dumps({name: str(getattr(django.conf.settings, name)) for name in sys.argv[1:]}))
"""
SAME_NAME = [
    name
    for commented, name, _ in ASSIGNMENT.findall(EXAMPLE)
    if commented and hasattr(settings, name) and name not in ("CARILLON_HOME", "REDIS_URL")
]


def loaded(tmp_path: Path, **environment: str) -> str:
    """The settings as a fresh process sees them, with nothing but `environment` in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *SAME_NAME],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(settings.BASE_DIR),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "CARILLON_HOME": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif((settings.BASE_DIR / ".env").exists(), reason="an .env of yours changes the defaults")
def test_it_tells_the_defaults(tmp_path: Path) -> None:
    """Setting everything to what it says is the default changes nothing."""
    said = {name: value for commented, name, value in ASSIGNMENT.findall(EXAMPLE) if commented}
    said.pop("CARILLON_HOME")

    assert len(SAME_NAME) > 20
    assert loaded(tmp_path, **said) == loaded(tmp_path)
