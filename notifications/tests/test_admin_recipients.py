"""What a recipient's page shows besides its form, and what is done by it to what is waiting."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import pytest
import time_machine
from django.test import Client

from delivery.models import Delivery
from notifications import planning
from notifications.tests.calls import send
from preferences.models import Category, Recipient
from preferences.suppressions import suppress
from preferences.tests.factories import create_recipient
from templates_app.tests.factories import create_template
from tenants.models import Tenant
from tenants.tests.factories import Api
from tenants.tests.pages import queries, save, see, staff

pytestmark = pytest.mark.django_db
NIGHT = dt.datetime(2026, 7, 1, 23, tzinfo=dt.UTC)
QUIET = {"enabled": True, "start": "22:00", "end": "07:00"}


@pytest.fixture
def eva(tenant: Tenant) -> Recipient:
    known = {"external_id": "eva", "email": "eva@example.com", "quiet_hours": QUIET}
    return create_recipient(tenant, ["phone-1"], **known)


def mail(service: Api, tenant: Tenant) -> str:
    """Accepted and planned; its id."""
    told: str = send(service, recipient="eva", channels=["email"])["id"]
    planning.plan(tenant.pk, [UUID(told)])
    return told


def page(recipient: Recipient) -> str:
    return f"/admin/preferences/recipient/{recipient.pk}/change/"


def test_it_works(admin_client: Client, service: Api, tenant: Tenant, eva: Recipient) -> None:
    suppress(tenant.pk, [("email", "eva@example.com", "bounced")])
    with time_machine.travel(NIGHT, tick=False):
        told = mail(service, tenant)
        shown = see(admin_client, page(eva))
    assert "Quiet hours until 2026-07-02 07:00 UTC" in shown
    assert "hard bounce" in shown
    assert f"/admin/notifications/notification/{told}/change/" in shown
    assert "suppressed:bounced" in shown
    with time_machine.travel(NIGHT + dt.timedelta(hours=12), tick=False):
        assert "Nothing holds what is sent to them" in see(admin_client, page(eva))
        Recipient.objects.update(block="a debt", do_not_disturb_until=NIGHT + dt.timedelta(days=2))
        shown = see(admin_client, page(eva))
    assert "Blocked: a debt" in shown
    assert "Do not disturb until 2026-07-03 23:00 UTC" in shown


def test_it_shows_what_one_may_look_at(tenant: Tenant, service: Api, eva: Recipient) -> None:
    suppress(tenant.pk, [("email", "eva@example.com", "bounced")])
    told = mail(service, tenant)
    shown = see(staff("preferences.view_recipient"), page(eva))
    assert told not in shown
    assert "hard bounce" not in shown
    assert "You may not look at notifications." in shown


def test_templates_can_be_chosen(admin_client: Client, tenant: Tenant, eva: Recipient) -> None:
    create_template(tenant, "offer")
    assert 'value="template:offer"' in see(admin_client, page(eva))


def test_it_costs_the_same_whatever_came(
    admin_client: Client, service: Api, tenant: Tenant, eva: Recipient
) -> None:
    see(admin_client, page(eva))
    few = queries(admin_client, page(eva))
    for _ in range(10):
        mail(service, tenant)
    assert len(queries(admin_client, page(eva))) == len(few)


def test_what_waits_is_asked_again(
    admin_client: Client, service: Api, tenant: Tenant, eva: Recipient
) -> None:
    """Whether an operator changes the person, a category, or the tenant."""
    with time_machine.travel(NIGHT, tick=False):
        mail(service, tenant)
        category = Category.objects.get(tenant=tenant, code="transactional")
        for path in (
            page(eva),
            f"/admin/preferences/category/{category.pk}/change/",
            f"/admin/tenants/tenant/{tenant.pk}/change/",
        ):
            Delivery.objects.update(due_at=NIGHT + dt.timedelta(hours=8))
            save(admin_client, path, {"name": "Other", "locale": "de"})
            assert Delivery.objects.get(status="deferred").due_at == NIGHT
