from collections.abc import Generator, Iterator

import pytest

from config.tests.logs import show_logs
from sandbox.testing import RunningSandbox, running_sandbox
from tenants.models import Tenant
from tenants.tests.factories import create_tenant


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    show_logs(report, getattr(item, "funcargs", {}).get("web_logs"))
    return report


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.clear()
    return shared_sandbox


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()
