"""Email by a service, from the row to its receipts: Postmark stands for those that log in to a webhook."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client

from delivery import dispatch
from delivery.models import ProviderAccount, Receipt
from delivery.tests.factories import EMAIL, create_account, create_deliveries, look
from preferences.suppressions import among
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

LOGIN = "hook:open-sesame"


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    sandbox.fault("postmark", receipt="none")
    settings = {
        "server_token": "sandbox-token",
        "webhook_login": LOGIN,
        "sender": "Shop <hello@shop.example>",
        "base_url": f"{sandbox.http_url}/postmark/",
    }
    return create_account(tenant, "email", "postmark", settings)


def post(account: ProviderAccount, event: dict[str, Any], login: str = LOGIN) -> HttpResponse:
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    answer: Any = Client(headers=headers).post(
        f"/webhooks/{account.provider}/{account.pk}", orjson.dumps(event), content_type="application/json"
    )
    response: HttpResponse = answer
    return response


def event(sandbox: RunningSandbox, **said: Any) -> dict[str, Any]:
    (mail,) = sandbox.messages()
    return {
        "RecordType": "Delivery",
        "MessageID": mail["data"]["id"],
        "Metadata": mail["data"]["metadata"],
        **said,
    }


def send(tenant: Tenant, number: int = 1) -> list[UUID]:
    ids = create_deliveries(tenant, number, EMAIL)
    dispatch.run(tenant.pk, ids)
    return ids


def test_it_works(tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount) -> None:
    (id,) = send(tenant)
    assert look(id).status == "sent"
    assert post(account, event(sandbox, DeliveredAt="2026-01-31T09:30:00Z")).status_code == 204
    assert look(id).status == "delivered"


def test_a_repeated_event_is_kept_once(
    tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount
) -> None:
    send(tenant)
    for _ in range(3):
        assert post(account, event(sandbox, DeliveredAt="2026-01-31T09:30:00Z")).status_code == 204
    assert Receipt.objects.count() == 1


def test_a_hard_bounce_suppresses_the_address(
    tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount
) -> None:
    (id,) = send(tenant)
    bounce = event(sandbox, RecordType="Bounce", ID=1, Type="HardBounce", Inactive=True, Email=EMAIL[1])
    assert post(account, bounce).status_code == 204
    assert look(id).status != "delivered"
    assert among(tenant.pk, [EMAIL]) == {EMAIL: "bounced"}


def test_it_asks_for_the_login_that_some_services_send_only_then(
    tenant: Tenant, sandbox: RunningSandbox, account: ProviderAccount
) -> None:
    """As HTTP has it: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1"""
    (id,) = send(tenant)
    answer = post(account, event(sandbox), login="")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="webhooks"')
    assert post(account, event(sandbox), login="hook:wrong").status_code == 403
    assert look(id).status == "sent"
