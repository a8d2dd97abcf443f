"""One installation for all; workers, beats and what breaks them are each test's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from config.tests.logs import show_logs
from notifications.tests.survival.accounting import Account, Summary
from notifications.tests.survival.stack import Stack, running_stack

SEED = 20


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    show_logs(report, stack and stack.home)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process of xdist, which starts the installation once."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("survival"))


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
def show(told: Callable[[str], None]) -> Callable[[Summary], None]:
    return lambda summary: told(str(summary))
