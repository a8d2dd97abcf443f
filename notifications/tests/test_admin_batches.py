from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from notifications.models import Batch
from notifications.tests.calls import NOTIFICATIONS, a_notification
from tenants.models import Tenant
from tenants.tests.factories import Api
from tenants.tests.pages import assert_bounded, see

pytestmark = pytest.mark.django_db
BATCHES = "/admin/notifications/batch/"


@pytest.fixture
def batch(service: Api) -> Any:
    body = {"notifications": [a_notification(), a_notification()], "total_expected": 2}
    return service.post(f"{NOTIFICATIONS}/send-batch", body).json()


def test_it_works(admin_client: Client, batch: Any) -> None:
    shown = see(admin_client, f"{BATCHES}{batch['batch_id']}/change/")
    assert "2 of 2 accepted" in shown
    assert "pending" in shown
    assert batch["batch_token"] not in shown


def test_it_is_only_looked_at(admin_client: Client, batch: Any) -> None:
    path = f"{BATCHES}{batch['batch_id']}"
    assert admin_client.post(f"{path}/change/", {"total_expected": "9"}).status_code == 403
    assert admin_client.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    assert Batch.objects.get().total_expected == 2


def test_it_finds_by_id(admin_client: Client, batch: Any) -> None:
    assert len(admin_client.get(BATCHES, {"q": batch["batch_id"]}).context["cl"].result_list) == 1
    assert len(admin_client.get(BATCHES, {"q": "none"}).context["cl"].result_list) == 0


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, BATCHES, lambda: Batch.objects.create(tenant=tenant))
