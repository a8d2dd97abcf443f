"""The containers run what `manage.py up` runs, and as it does. Read only: nothing here starts Docker."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from config.stack import WEB_OPTIONS, Options, _programs
from config.tests.processes import ROOT

OF_THE_PLACE = re.compile(r"--(host|port|inbox-port|smtp-port|smpp-port|concurrency)\b.*")
PROGRAMS = {program.name: program.command for program in _programs(Options())}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    composed: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return composed["services"]


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", "")


def command(service: dict[str, Any]) -> list[str]:
    """Its own, or else the image's."""
    words: list[str] = service.get("command") or json.loads(dockerfile().rpartition("\nCMD ")[2])
    return words


def behaviour(words: Sequence[str]) -> set[str]:
    """The options that make no difference of place: addresses, and how much the machine can carry."""
    return {word for word in words if word.startswith("--") and not OF_THE_PLACE.fullmatch(word)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_works(services: dict[str, Any], name: str) -> None:
    words = command(services[name])
    what = {"web": "uvicorn", "sandbox": "sandbox"}.get(name, name)
    assert what in words
    assert what in PROGRAMS[name]
    assert behaviour(PROGRAMS[name]) <= behaviour(words)


def test_sockets_are_served_the_same_way(services: dict[str, Any]) -> None:
    words = command(services["web"])
    for option in ("--ws", "--ws-per-message-deflate"):
        assert words[words.index(option) + 1] == WEB_OPTIONS[WEB_OPTIONS.index(option) + 1]


def test_migrations_run_once_before_all(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "migrate" in command(service)] == ["migrate"]
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_the_checks_are_left_to_migrate(services: dict[str, Any], name: str) -> None:
    assert services[name]["environment"]["CELERY_SKIP_CHECKS"] == "1"


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_setting_of_the_env_file_counts(services: dict[str, Any], name: str) -> None:
    assert services[name]["env_file"] == ".env"


def test_it_demands_each_secret_that_has_to_be_made(services: dict[str, Any]) -> None:
    """Those that `.env.example` leaves empty, with a word on how."""
    example = (ROOT / ".env.example").read_text()
    needed = re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)
    assert len(needed) == 3
    for name in PROGRAMS:
        for secret in needed:
            assert re.fullmatch(
                rf"\$\{{{secret}:\?set it in \.env, .+\}}", services[name]["environment"][secret]
            )


def test_the_health_check_may_ask(services: dict[str, Any]) -> None:
    """Whatever host names the operator allows."""
    assert "http://127.0.0.1:8000/health" in dockerfile()
    assert services["web"]["environment"]["ALLOWED_HOSTS"].endswith(",127.0.0.1")


def test_it_does_not_run_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+)$", dockerfile(), re.MULTILINE)
    assert int(user) > 0
