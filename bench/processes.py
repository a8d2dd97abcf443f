"""The processes of the running stack: found, and put to sleep while others are measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

_BY_WORD = {"uvicorn": "web", "worker": "worker", "beat": "beat"}
_BY_NAME = {"postgres": "postgres", "valkey-server": "valkey"}
_SLEEPERS = ("beat", "web", "worker")

Trees = Mapping[str, psutil.Process]


def of_stack() -> dict[str, psutil.Process]:
    """By name, the roots of the trees that our parent started; engines that were given are not among them."""
    found = {}
    for process in psutil.Process(os.getppid()).children():
        words = [name for word, name in _BY_WORD.items() if word in process.cmdline()]
        if name := _BY_NAME.get(process.name()) or next(iter(words), None):
            found[name] = process
    return found


@contextmanager
def asleep(trees: Trees, names: Sequence[str] = _SLEEPERS) -> Iterator[None]:
    """Those that are named stand still, so that what is measured has the machine to itself as they had."""
    members = [
        process
        for name in names
        for process in (trees[name], *trees[name].children(recursive=True))
    ]  # fmt: skip
    try:
        for process in members:
            process.suspend()
        yield
    finally:
        for process in members:
            process.resume()
