"""The admin site as a whole: its front page, its sidebar, and the pages of what other packages brought."""

from __future__ import annotations

import pytest
from django.test import Client

from config.admin.dashboard import NEWEST, at_most
from delivery.models import Delivery
from delivery.tests.factories import create_deliveries, create_delivery
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import counted, queries, see, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    create_deliveries(tenant, 3)
    dead = create_delivery(tenant)
    Delivery.objects.filter(pk=dead).update(status="failed", reason="address_refused")
    context = admin_client.get("/admin/").context
    assert (context["waiting"], context["failed"], context["arrived"]) == ("3", 25.0, 0.0)
    assert [letter["row"].pk for letter in context["dead_letters"]] == [dead]
    assert [(row["channel"], row["total"]) for row in context["channels"]] == [("sms", 4)]


def test_it_opens_with_nothing_in_it(admin_client: Client) -> None:
    assert "Nothing has been delivered yet." in see(admin_client, "/admin/")


def test_it_says_where_it_stopped_counting() -> None:
    assert (at_most(NEWEST), at_most(NEWEST + 1)) == ("1,000", "1,000+")


def test_it_costs_the_same_whatever_the_rows(admin_client: Client, tenant: Tenant) -> None:
    create_deliveries(tenant, 5)
    see(admin_client, "/admin/")
    few = queries(admin_client, "/admin/")
    create_deliveries(tenant, 45)
    many = queries(admin_client, "/admin/")
    assert len(many) == len(few)
    assert not counted(many)


def test_it_shows_what_one_may_look_at(tenant: Tenant) -> None:
    create_delivery(tenant)
    page = see(staff("templates_app.view_template"), "/admin/")
    assert "/admin/templates_app/template/" in page
    assert "Dead letters" not in page
    assert "/admin/delivery/delivery/" not in page
    assert "/admin/tenants/apikey/" not in page


def test_it_asks_who_you_are(client: Client) -> None:
    answer = client.get("/admin/notifications/notification/")
    assert answer.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    "path",
    [
        "auth/user/",
        "auth/user/add/",
        "auth/group/",
        "auth/group/add/",
        "django_celery_beat/periodictask/",
        "django_celery_beat/periodictask/add/",
        "django_celery_beat/crontabschedule/",
        "django_celery_beat/intervalschedule/add/",
    ],
)
def test_it_opens_the_pages_of_others(admin_client: Client, path: str) -> None:
    assert "tenants/admin.css" in see(admin_client, f"/admin/{path}")
