from collections.abc import Iterator

import pytest

from sandbox.testing import RunningSandbox, running_sandbox
from tenants.models import Tenant
from tenants.tests.factories import create_tenant


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
