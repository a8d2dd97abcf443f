"""The buttons of a recipient's page, and the record of erasures."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client

from notifications import erasure
from notifications.models import Erasure
from notifications.tests.calls import send
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.models import Tenant
from tenants.tests.factories import Api
from tenants.tests.pages import assert_bounded, see, staff

pytestmark = pytest.mark.django_db
RECIPIENTS, ERASURES = "/admin/preferences/recipient", "/admin/notifications/erasure"


@pytest.fixture
def eva(tenant: Tenant) -> Recipient:
    return create_recipient(tenant, external_id="eva-77", email="eva@example.com")


def typed(client: Client, eva: Recipient, words: str) -> Any:
    return client.post(f"{RECIPIENTS}/{eva.pk}/erase/", {"_form_submitted": "on", "typed": words})


def test_it_works(admin_client: Client, service: Api, eva: Recipient) -> None:
    send(service, recipient="eva-77")
    page = see(admin_client, f"{RECIPIENTS}/{eva.pk}/change/")
    assert "Export" in page
    assert "Erase" in page
    answer: Any = admin_client.get(f"{RECIPIENTS}/{eva.pk}/export/")
    exported = orjson.loads(b"".join(answer.streaming_content))
    assert exported["recipients"][0]["email"] == "eva@example.com"
    assert len(exported["notifications"]) == 1
    assert "Type the recipient" in admin_client.get(f"{RECIPIENTS}/{eva.pk}/erase/").content.decode()
    refused = typed(admin_client, eva, "eva")
    assert "This is not the ID of this recipient." in refused.content.decode()
    assert Recipient.objects.filter(pk=eva.pk).exists()
    done = typed(admin_client, eva, "eva-77")
    row = Erasure.objects.get()
    assert done.headers["HX-Redirect"] == f"{ERASURES}/{row.pk}/change/"
    assert not Recipient.objects.filter(pk=eva.pk).exists()
    page = see(admin_client, f"{ERASURES}/{row.pk}/change/")
    assert "operator admin" in page
    assert "recipients: 1" in page
    assert "eva" not in page


def test_it_asks_for_permissions(eva: Recipient) -> None:
    clerk = staff("preferences.view_recipient", "preferences.change_recipient")
    page = see(clerk, f"{RECIPIENTS}/{eva.pk}/change/")
    assert f"{eva.pk}/erase/" not in page
    assert clerk.get(f"{RECIPIENTS}/{eva.pk}/export/").status_code == 403
    assert typed(clerk, eva, "eva-77").status_code == 403
    assert Recipient.objects.filter(pk=eva.pk).exists()


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    numbers = iter(range(100))
    assert_bounded(
        admin_client,
        f"{ERASURES}/",
        lambda: erasure.ask(tenant, ("user", f"u{next(numbers)}"), asked_by="test"),
    )
