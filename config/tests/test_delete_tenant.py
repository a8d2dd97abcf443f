from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.tenancy import TenantInUseError, create_tenant, delete_tenant, owned_models
from config.tests.processes import wait_until
from delivery.models import Delivery, DeliveryStatus
from delivery.tests.factories import create_account, twilio_settings
from notifications import release
from notifications.models import Notification, NotificationStatus
from notifications.tests.calls import CONTENT, NOTIFICATIONS, a_template, send
from preferences.directory import retire
from preferences.models import Suppression
from preferences.tests.factories import create_recipient
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]


def settled(slug: str, drain: Drain) -> Tenant:
    """A tenant that has something of everything, and was told things that arrived."""
    tenant = create_tenant(slug=slug)
    a_template(tenant)
    create_account(tenant, "sms", "twilio", twilio_settings("http://127.0.0.1:1"))
    create_recipient(tenant, external_id="ann", devices=[f"token-{slug}"])
    with tenant_scope(tenant.pk):
        retire(tenant.pk, [("email", "gone@example.com", Suppression.Reason.MANUAL.value)])
    service = api(create_api_key(tenant))
    send(service, channels=["in_app"])
    send_batch(service)
    drain()
    return tenant


def send_batch(service: Api) -> None:
    item = {"recipient": "ann", "content": CONTENT, "channels": ["in_app"]}
    answer = service.post(
        f"{NOTIFICATIONS}/send-batch", {"notifications": [item]}, headers={"Idempotency-Key": "k1"}
    )
    assert answer.status_code == 202, answer.json()


def switch_off(tenant: Tenant) -> None:
    tenant.is_active = False
    tenant.save()


def delete(slug: str, *options: str) -> str:
    out = StringIO()
    call_command("delete_tenant", slug, *options, stdout=out)
    return out.getvalue()


def holdings(tenant: Tenant) -> dict[str, int]:
    return {
        model._meta.label: count
        for model in owned_models()
        if (count := model._default_manager.filter(tenant_id=tenant.pk).count())
    }


def test_it_works(drain: Drain) -> None:
    leaver, stayer = settled("leaver", drain), settled("stayer", drain)
    before = holdings(stayer)
    assert len(before) > 15, "this test is to have something of everything"
    assert holdings(leaver).keys() == before.keys()
    switch_off(leaver)

    said = delete("leaver", "--yes")

    assert "Removed the tenant leaver (Leaver)." in said
    assert "2 notifications\n" in said
    assert holdings(leaver) == {}
    assert holdings(stayer) == before
    assert list(Tenant.objects.all()) == [stayer]


def test_it_finds_every_table_that_names_a_tenant() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        )
        tables = {table for (table,) in cursor.fetchall()}
    assert {model._meta.db_table for model in owned_models()} == tables


def test_it_stops_what_has_not_left(drain: Drain) -> None:
    tenant = sending_tenant()
    switch_off(tenant)
    delete_tenant(tenant, patience=0)
    assert holdings(tenant) == {}
    assert "delivery.dispatch" in drain()  # a ring for what is no more does no harm


def test_it_waits_for_what_is_being_sent() -> None:
    tenant = sending_tenant()
    switch_off(tenant)
    Delivery.objects.update(status=DeliveryStatus.SENDING)
    with ThreadPoolExecutor(1) as pool:
        deletion = pool.submit(delete_beside, tenant)
        wait_until(Notification.objects.filter(status=NotificationStatus.CANCELED).exists)
        Delivery.objects.update(status=DeliveryStatus.SENT)
        deletion.result(10)
    assert holdings(tenant) == {}


def test_it_removes_nothing_while_something_is_being_sent() -> None:
    tenant = sending_tenant()
    switch_off(tenant)
    Delivery.objects.update(status=DeliveryStatus.SENDING)
    before = holdings(tenant)
    with pytest.raises(TenantInUseError, match="1 deliveries of 'leaver' are still being sent"):
        delete_tenant(tenant, patience=0)
    assert holdings(tenant) == before


def sending_tenant() -> Tenant:
    """A tenant with a notification for later, and one that has been rung for."""
    tenant = create_tenant(slug="leaver")
    create_recipient(tenant, external_id="ann")
    service = api(create_api_key(tenant))
    send(service, delay=3600)
    release.plan(tenant.pk, [UUID(send(service)["id"])])
    assert Delivery.objects.get().status == DeliveryStatus.QUEUED
    return tenant


def delete_beside(tenant: Tenant) -> None:
    try:
        delete_tenant(tenant, patience=10)
    finally:
        connection.close()


def test_it_keeps_what_is_active() -> None:
    tenant = create_tenant(slug="shop")
    with pytest.raises(CommandError, match="Switch it off"):
        delete("shop", "--yes")
    assert Tenant.objects.get() == tenant


def test_it_asks_twice() -> None:
    switch_off(create_tenant(slug="shop"))
    with pytest.raises(CommandError, match="Add --yes"):
        delete("shop")
    assert Tenant.objects.exists()


def test_it_knows_no_stranger() -> None:
    with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
        delete("nobody", "--yes")
