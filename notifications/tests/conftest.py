"""A tenant that can be reached: a service's client, a recipient, a sandbox behind its accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from preferences.categories import create_default_categories
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox, running_sandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.clear()
    return shared_sandbox


@pytest.fixture
def tenant(db: None) -> Tenant:
    tenant = create_tenant()
    create_default_categories(tenant)
    create_recipient(tenant, external_id="ann", email="ann@example.com", phone="+15005550006")
    return tenant


@pytest.fixture
def service(tenant: Tenant) -> Api:
    return api(create_api_key(tenant))
