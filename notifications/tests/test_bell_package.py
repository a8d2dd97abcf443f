"""The bell as a file that pages load, and as a package that bundlers do."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

PACKAGE = Path(settings.BASE_DIR) / "notifications" / "static" / "carillon"
EXAMPLES = Path(settings.BASE_DIR) / "examples"
MOST_BYTES = 15_000
TYPESCRIPT = "typescript@5.9.3"

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def served(*names: str) -> int:
    """Bytes as a server sends them, compressed as well as gzip can."""
    return sum(len(gzip.compress((PACKAGE / name).read_bytes(), 9)) for name in names)


def test_a_page_loads_little() -> None:
    assert served("carillon.js", "client.js") < MOST_BYTES


def test_nothing_becomes_markup() -> None:
    """Neither what senders write nor what a strict policy forbids: https://www.w3.org/TR/CSP3/"""
    source = "".join(path.read_text() for path in PACKAGE.glob("*.js"))
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    ):
        assert forbidden not in source


def test_every_language_says_everything() -> None:
    keys = {path.name: _keys(path) for path in (PACKAGE / "carillon.js", PACKAGE / "preferences.js")}
    german = _keys(PACKAGE / "texts.de.js")
    assert set().union(*keys.values()) <= german


def _keys(path: Path) -> set[str]:
    texts = path.read_text().partition("const TEXTS = {")[2] or path.read_text().partition("default {")[2]
    lines = (line.strip() for line in texts.partition("\n};")[0].splitlines())
    return {line.partition(":")[0] for line in lines if line.endswith(('",', "',"))}


def npm(*arguments: str, cwd: Path, cache: Path) -> str:
    """`cache`: where npm keeps what it loads, so that a second run needs no registry."""
    environment = {**os.environ, "npm_config_cache": str(cache), "npm_config_update_notifier": "false"}
    done = subprocess.run(
        ["npm", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_npm
@pytest.mark.browser
def test_it_is_a_package(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """It is packed with its types, and an example that uses all of them is right by TypeScript."""
    cache = request.config.cache.mkdir("npm")
    packed = json.loads(npm("pack", "--json", "--pack-destination", str(tmp_path), cwd=PACKAGE, cache=cache))[
        0
    ]
    shipped = {one["path"] for one in packed["files"]}
    assert shipped == {path.name for path in PACKAGE.iterdir()}
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    shutil.copy(EXAMPLES / "typescript" / "example.ts", tmp_path)
    shutil.copy(EXAMPLES / "typescript" / "tsconfig.json", tmp_path)
    wanted = [str(tmp_path / packed["filename"]), TYPESCRIPT]
    npm("install", "--prefer-offline", "--no-audit", "--no-fund", *wanted, cwd=tmp_path, cache=cache)
    npm("exec", "--offline", "--", "tsc", "--noEmit", cwd=tmp_path, cache=cache)
