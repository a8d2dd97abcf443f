"""One installation for all; workers, beats and what breaks them are each test's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.stack import Stack, running_stack

SEED = 20
TAIL = 30  # lines of each log


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the processes said last."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        report.sections += [(log.name, _tail(log)) for log in sorted(stack.home.glob("*.log"))]
    return report


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])


@pytest.fixture(scope="session")
def installation() -> Iterator[Stack]:
    with running_stack() as stack:
        yield stack


@pytest.fixture
def stack(installation: Stack) -> Stack:
    """The installation with nothing on its way, and vendors that take a while and send no receipts."""
    installation.sandbox.clear()
    installation.sandbox.fault("twilio", latency_ms=50, receipt="none")
    installation.sandbox.fault("smtp", latency_ms=10)
    return installation


@pytest.fixture
def account(stack: Stack, request: pytest.FixtureRequest) -> Account:
    name = request.node.name.removeprefix("test_").replace("[", "_").rstrip("]")
    return Account(stack, name)


@pytest.fixture
def dice() -> random.Random:
    """The same moments each time."""
    return random.Random(SEED)


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[Summary], None]:
    """Prints past pytest's capture: what a run came to is wanted when it passes, too."""

    def print_it(summary: Summary) -> None:
        with capsys.disabled():
            print(f"\n{summary}")

    return print_it
