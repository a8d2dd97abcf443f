"""All that is kept of a person, as one document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.utils import timezone

from delivery import receipts
from delivery.providers.base import Inbound
from delivery.tests.factories import create_smtp, create_twilio
from notifications import exporting, traces
from notifications.tests.calls import CONTENT, send
from preferences.models import Preference
from preferences.suppressions import suppress
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
URL = "/api/v1/services/recipients"


def export(service: Api, path: str = "eva/export") -> Any:
    answer: Any = service.get(f"{URL}/{path}")
    assert answer.status_code == 200, answer.json()
    assert answer["Cache-Control"] == "no-store"
    return orjson.loads(b"".join(answer.streaming_content))


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain) -> None:
    sandbox.fault("twilio", receipt="none")
    create_smtp(tenant, sandbox)
    account = create_twilio(tenant, sandbox)
    eva = create_recipient(
        tenant, ["token"], external_id="eva", email="Eva@example.com", phone="+15005550123"
    )
    Preference.objects.create(tenant=tenant, recipient=eva, level="channel", channel="push", enabled=False)
    suppress(tenant.pk, [("email", "eva@example.com", "complained")])
    file = {"filename": "a.txt", "content": "aGk="}
    id = send(
        service,
        recipient="eva",
        channels=["in_app", "sms"],
        data={"order": "A-17"},
        overrides={"email": {"attachments": [file]}},
    )["id"]
    once = send(service, recipient={"email": "eva@EXAMPLE.com"})["id"]
    send(service, recipient="ann")
    drain()
    receipts.apply(account, [Inbound("r1", "+15005550123", "+1500", "Hello", timezone.now())])
    found = export(service)
    assert (found["tenant"], found["type"], found["id"]) == (tenant.slug, "user", "eva")
    counts = {name: len(rows) for name, rows in found.items() if isinstance(rows, list)}
    assert counts == {
        **counts,
        "recipients": 1,
        "devices": 1,
        "preferences": 1,
        "suppressions": 1,
        "admin_log": 0,
        "replies": 1,
        "feed_items": 1,
        "feeds": 1,
        "notifications": 2,
        "digests": 0,
        "idempotency_keys": 0,
        "deliveries": 2,
        "receipts": 0,
        "attempts": 2,
        "attachments": 1,
    }
    assert found["recipients"][0]["email"] == "Eva@example.com"
    assert [row["id"] for row in found["notifications"]] == [id, once]
    assert found["notifications"][0]["data"] == {"order": "A-17"}
    assert found["notifications"][0]["content"]["body"] == CONTENT["body"]
    addresses = {row["channel"]: row["address"] for row in found["deliveries"]}
    assert addresses == {"in_app": str(eva.pk), "sms": "+15005550123"}
    assert found["notifications"][1]["recipient_once"]["email"] == "eva@example.com"
    assert found["attempts"][0]["outcome"] == "sent"
    assert found["replies"][0]["text"] == "Hello"
    assert "tenant_id" not in found["notifications"][0]


def test_it_goes_through_pages(tenant: Tenant, service: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_PAGE", 2)
    monkeypatch.setattr(traces, "CHUNK", 3)
    create_recipient(tenant, [f"token-{n}" for n in range(5)], external_id="eva")
    ids = [send(service, recipient="eva", delay=3600)["id"] for _ in range(10)]
    found = export(service)
    assert [row["id"] for row in found["notifications"]] == ids
    assert len(found["devices"]) == 5


def test_it_knows_whom_the_directory_has_forgotten(tenant: Tenant, service: Api) -> None:
    create_recipient(tenant, external_id="eva")
    send(service, recipient="eva", delay=3600)
    service.delete(f"{URL}/eva")
    found = export(service)
    assert (found["recipients"], len(found["notifications"])) == ([], 1)


def test_it_keeps_to_the_person_and_the_tenant(tenant: Tenant, service: Api) -> None:
    other = create_tenant()
    create_recipient(other, external_id="eva")
    assert service.get(f"{URL}/eva/export").status_code == 404
    create_recipient(tenant, external_id="eva", type="driver")
    assert service.get(f"{URL}/eva/export").status_code == 404
    assert export(service, "eva/export?type=driver")["type"] == "driver"


@pytest.mark.parametrize("scope", ["recipients:read", "notifications:read"])
def test_it_asks_for_both_scopes(tenant: Tenant, scope: str) -> None:
    create_recipient(tenant, external_id="eva")
    lesser = api(create_api_key(tenant, [scope]))
    assert lesser.get(f"{URL}/eva/export").status_code == 403
