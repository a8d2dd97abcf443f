"""One notification all the way through: from the request to the vendors and the feed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delivery.tests.factories import create_smtp, create_twilio
from notifications.models import FeedItem
from notifications.tests.calls import CONTENT, look, send
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    create_smtp(tenant, sandbox)
    create_twilio(tenant, sandbox)
    accepted = send(service, channels=["in_app", "email", "sms"])
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


def test_it_goes_on_along_the_chain(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    create_twilio(tenant, sandbox)
    whom = {"email": "bob@example.com", "phone": "+15005550009"}
    id = send(service, recipient=whom, channels=[["sms", "email"]])["id"]
    drain()
    (delivery,) = look(service, id)["deliveries"]
    assert [(a["channel"], a["outcome"], a["code"]) for a in delivery["attempts"]] == [
        ("sms", "address", "21614"),
        ("email", "sent", ""),
    ]
    assert [message["to"] for message in sandbox.messages()] == ["bob@example.com"]


def test_a_test_key_reaches_only_the_sandbox_accounts(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox, name="live")
    create_smtp(None, sandbox, name="for-tests", is_sandbox=True)
    id = send(api(create_api_key(tenant, mode="test")))["id"]
    drain()
    (delivery,) = look(service, id)["deliveries"]
    assert [attempt["account"] for attempt in delivery["attempts"]] == ["for-tests"]


def test_the_email_says_what_was_overridden(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox)
    send(service, overrides={"email": {"reply_to": ["help@shop.example"], "headers": {"X-Cart": "9"}}})
    drain()
    (mail,) = sandbox.messages()
    assert (mail["headers"]["Reply-To"], mail["headers"]["X-Cart"]) == ("help@shop.example", "9")
