"""`/webhooks/http/…`: receipts of an HTTP gateway, by POST or, as many have it, by GET."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.test import Client

from delivery import dispatch
from delivery.models import ProviderAccount, Reply
from delivery.tests.factories import create_account, create_delivery, look
from preferences.models import Suppression
from preferences.suppressions import among
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    settings = {
        "url": f"{sandbox.http_url}/gateway/messages",
        "headers": {"X-Api-Key": "{secret}"},
        "secret": "a-key-of-the-shop",
        "message_id": "id",
        "receipt_proof": "parameter",
        "receipt_place": "token",
        "receipt_secret": "of-receipts",
    }
    return create_account(tenant, "sms", "http", settings)


@pytest.fixture
def sent(tenant: Tenant, account: ProviderAccount) -> UUID:
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
    return id


def url(account: ProviderAccount, delivery: UUID, token: str = "of-receipts") -> str:
    return f"/webhooks/http/{account.pk}?reference={delivery}.1&token={token}"


def replying(account: ProviderAccount) -> str:
    fields = {"message_id": "id", "status": "status", "sender": "from", "text": "text", "recipient": "to"}
    account.settings["receipt_fields"] = fields
    account.save()
    return f"/webhooks/http/{account.pk}?token=of-receipts"


def test_a_reply(account: ProviderAccount) -> None:
    said = {"id": "r1", "from": "15005550006", "to": "Shop", "text": "Stop"}
    assert Client().post(replying(account), said, content_type="application/json").status_code == 204
    ann = ("sms", "+15005550006")
    assert account.tenant_id is not None
    assert among(account.tenant_id, [ann]) == {ann: "unsubscribed"}


def test_replies_without_an_id_are_each_new(account: ProviderAccount) -> None:
    url = replying(account)
    for word in ("stop", "start", "stop"):
        assert Client().get(f"{url}&from=15005550006&text={word}").status_code == 200
    assert Reply.objects.count() == 3
    assert Suppression.objects.exists()


def test_a_receipt_with_its_text_is_still_a_receipt(account: ProviderAccount, sent: UUID) -> None:
    replying(account)
    told = "id=a&status=DELIVRD&from=15005550006&text=stop"
    Client().post(url(account, sent), told, content_type="application/x-www-form-urlencoded")
    assert look(sent).status == "delivered"
    assert not Reply.objects.exists()


def test_it_works(account: ProviderAccount, sent: UUID) -> None:
    told = "id=a&status=DELIVRD"
    answer = Client().post(url(account, sent), told, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 204
    assert look(sent).status == "delivered"


def test_a_receipt_may_come_by_get(account: ProviderAccount, sent: UUID) -> None:
    answer = Client().get(f"{url(account, sent)}&id=a&status=undelivered")
    assert (answer.status_code, answer.content) == (200, b"")
    assert look(sent).status == "failed"


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_is_believed_without_the_secret(account: ProviderAccount, sent: UUID, method: str) -> None:
    forged = f"{url(account, sent, token='guessed')}&id=a&status=DELIVRD"
    assert getattr(Client(), method)(forged).status_code == 403
    assert look(sent).status == "sent"
