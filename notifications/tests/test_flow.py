"""One notification all the way through: from the request to the vendor, and what happens when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from delivery.tests.factories import create_smtp, create_twilio
from notifications.models import FeedItem
from preferences.categories import create_default_categories
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox, running_sandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = {"subject": "Your order A-17", "body": "It is on its way.", "html": "<p>It is on its way.</p>"}
NOTIFICATIONS = "/api/v1/services/notifications"


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.clear()
    return shared_sandbox


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant()
    create_default_categories(tenant)
    create_recipient(tenant, external_id="ann", email="ann@example.com", phone="+15005550006")
    return tenant


@pytest.fixture
def service(tenant: Tenant) -> Api:
    return api(create_api_key(tenant))


def send(service: Api, **over: Any) -> Any:
    body = {"recipient": "ann", "content": CONTENT, **over}
    answer = service.post(f"{NOTIFICATIONS}/send", body)
    assert answer.status_code == 202, answer.json()
    return answer.json()


def look(service: Api, id: str) -> Any:
    return service.get(f"{NOTIFICATIONS}/{id}").json()


def test_it_works(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Callable[[], list[str]]
) -> None:
    create_smtp(tenant, sandbox)
    create_twilio(tenant, sandbox)
    accepted = send(service, channels=["in_app", "email", "sms"])
    assert accepted["status"] == "accepted"
    drain()
    seen = look(service, accepted["id"])
    assert seen["status"] == "sent"
    assert {d["channel"]: d["status"] for d in seen["deliveries"]} == {
        "in_app": "sent",
        "email": "sent",
        "sms": "sent",
    }
    assert {message["channel"] for message in sandbox.messages()} == {"email", "sms"}
    assert FeedItem.objects.get(pk=accepted["id"]).body == CONTENT["body"]
