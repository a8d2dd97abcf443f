"""What explain says beside the plan: where nobody will hear what became of a message."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.models import ProviderAccount
from delivery.tests.factories import create_smtp, create_twilio
from delivery.tests.push import create_fcm
from notifications.tests.calls import NOTIFICATIONS, a_notification
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _bob(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_recipient(
        tenant, external_id="bob", email="bob@example.com", phone="+15005550006", devices=["phone"]
    )
    create_smtp(tenant, sandbox, name="mail")
    create_twilio(tenant, sandbox, name="texts")
    create_fcm(tenant, sandbox, name="firebase")


def hints(service: Api, *channels: Any) -> dict[str, str | None]:
    """By channel."""
    answer = service.post(
        f"{NOTIFICATIONS}/explain", a_notification(recipient="bob", channels=list(channels))
    )
    assert answer.status_code == 200, answer.json()
    routes = [route for delivery in answer.json()["deliveries"] for route in delivery["routes"]]
    assert {route["hint"]["code"] for route in routes if route["hint"]} <= {"no_receipts"}
    return {route["channel"]: route["hint"] and route["hint"]["detail"] for route in routes}


def test_it_works(service: Api) -> None:
    assert hints(service, "email") == {
        "email": "mail: this vendor sends no receipts, so 'sent' is the last that will be known."
    }


def test_it_says_nothing_where_receipts_come(service: Api) -> None:
    assert hints(service, "sms", "in_app") == {"sms": None, "in_app": None}


def test_it_says_that_a_chain_goes_on_in_any_case(service: Api) -> None:
    found = hints(service, {"chain": ["email", "sms"], "within": 60})
    assert found == {
        "email": "mail: this vendor sends no receipts, so the next channel is used after 60 s in any case.",
        "sms": None,
    }


@pytest.mark.parametrize(
    ("channels", "so"),
    [
        ([], "the next channel is used after 600 s in any case."),
        (["in_app"], "only reading it in the feed stops the next channel."),
    ],
)
def test_it_says_what_can_be_seen_of_a_push(service: Api, channels: list[str], so: str) -> None:
    found = hints(service, *channels, {"chain": ["push", "sms"], "within": 600})
    assert found["push"] == f"firebase: this vendor sends no receipts, so {so}"


def test_one_whose_settings_do_not_open_has_other_troubles(service: Api) -> None:
    ProviderAccount.objects.filter(name="mail").update(secrets=b"x" * 40)
    assert hints(service, "email") == {"email": None}
