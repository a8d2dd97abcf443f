from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from preferences.models import Category
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, filled, post, save, see, staff

pytestmark = pytest.mark.django_db
CATEGORIES = "/admin/preferences/category/"
ADD = f"{CATEGORIES}add/"
_number = count(1)
OFFERS: dict[str, Any] = {
    "channels": ["email", "sms"],
    "defaults": {"sms": False},
    "frequency": {"all": {"max": 9, "per": "month", "then": "digest"}, "sms": {"max": 0, "per": "day"}},
    "sending_hours": {"start": "09:00", "end": "20:00", "days": ["mon", "tue"]},
    "skips_holidays": True,
}


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def create(tenant: Tenant, **over: Any) -> Category:
    return Category.objects.create(tenant=tenant, **{"code": f"code-{next(_number)}", "name": "News", **over})


def page(category: Category) -> str:
    return f"{CATEGORIES}{category.pk}/change/"


def version(tenant: Tenant) -> int:
    return Tenant.objects.get(pk=tenant.pk).rules_version


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    new = {"tenant": str(tenant.pk), "code": "offers", "name": "Offers", "unknown_policy": "stop"}
    post(admin_client, ADD, filled(admin_client, ADD) | new)
    category = Category.objects.get()
    assert (category.unknown_policy, category.channels, category.defaults) == ("stop", [], {})
    assert (category.frequency, category.sending_hours) == ({}, None)
    given: dict[str, Any] = {"sending_hours-0-start": "09:00", "sending_hours-0-end": "20:00"}
    given |= {"sending_hours-0-days": ["mon", "tue"], "skips_holidays": "on"}
    given |= {"frequency-all-max": "9", "frequency-all-per": "month", "frequency-all-then": "digest"}
    given |= {"frequency-sms-max": "0"}
    used = {
        name: value for name, value in filled(admin_client, page(category)).items() if "reach-" not in name
    }
    reach = {f"reach-{name}-may": "on" for name in ("email", "sms")} | {"reach-email-on": "on"}
    others = ("in_app", "whatsapp", "push", "slack", "discord", "webhook")
    post(admin_client, page(category), used | given | reach | {f"reach-{name}-on": "on" for name in others})
    category.refresh_from_db()
    assert {name: getattr(category, name) for name in OFFERS} == OFFERS
    assert version(tenant) == 2


def test_what_is_not_touched_stays_as_it_is(admin_client: Client, tenant: Tenant) -> None:
    weekend = {"start": "10:00", "end": "24:00", "days": ["sat", "sun"]}
    several = {"windows": [weekend, {"start": "22:00", "end": "03:00"}]}
    for hours in (OFFERS["sending_hours"], several, None):
        category = create(tenant, **{**OFFERS, "sending_hours": hours})
        save(admin_client, page(category), {"name": "Other"})
        changed = Category.objects.get(pk=category.pk)
        assert {name: getattr(changed, name) for name in OFFERS} == {**OFFERS, "sending_hours": hours}
        assert changed.name == "Other"
        assert "Name" in LogEntry.objects.latest("pk").get_change_message()
        assert "Frequency" not in LogEntry.objects.latest("pk").get_change_message()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sending_hours-0-start": "9"}, "start: a time is written as 07:30, up to 24:00."),
        ({"sending_hours-0-start": "09:00"}, "Give both start and end."),
        ({"frequency-sms-max": "-1"}, "sms, max: Input should be greater than or equal to 0"),
        ({"frequency-sms-max": "many"}, "sms, max: Input should be a valid integer"),
        ({"frequency-sms-max": "1", "frequency-sms-per": "year"}, "sms, per: Input should be"),
        ({"frequency-all-max": "1", "frequency-all-then": "wait"}, "all channels, then: Input should be"),
        ({"block": "x" * 201}, "at most 200 characters"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    admin_client: Client, tenant: Tenant, change: dict[str, str], error: str
) -> None:
    category = create(tenant)
    shown = save(admin_client, page(category), change)
    assert error in shown
    assert all(f'value="{typed}"' in shown for typed in change.values() if typed not in {"year", "wait"})
    assert Category.objects.filter(
        pk=category.pk, frequency={}, sending_hours__isnull=True, block=""
    ).exists()


def test_it_needs_a_channel(admin_client: Client, tenant: Tenant) -> None:
    category = create(tenant)
    none = {name: value for name, value in filled(admin_client, page(category)).items() if "-may" not in name}
    assert "It has to have a channel" in post(admin_client, page(category), none)


def test_it_never_changes_the_code(admin_client: Client, tenant: Tenant) -> None:
    category = create(tenant)
    save(admin_client, page(category), {"code": "other", "name": "Other", "is_critical": "on"})
    changed = Category.objects.get()
    assert (changed.code, changed.name, changed.is_critical) == (category.code, "Other", True)


def test_the_one_for_all_else_is_not_deleted(admin_client: Client, tenant: Tenant) -> None:
    essential, other = create(tenant, code="transactional"), create(tenant)
    assert admin_client.post(f"{CATEGORIES}{essential.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [essential.pk, other.pk], "post": "yes"}
    assert admin_client.post(CATEGORIES, chosen).status_code == 403
    assert Category.objects.count() == 2
    post(admin_client, CATEGORIES, chosen | {"_selected_action": [other.pk]})
    assert (Category.objects.get(), version(tenant)) == (essential, 1)


def test_one_may_look_and_not_change(tenant: Tenant) -> None:
    category = create(tenant, **OFFERS)
    viewer = staff("preferences.view_category")
    assert "email, sms; off until asked for: sms" in see(viewer, page(category))
    assert viewer.post(page(category), {"name": "Other"}).status_code == 403


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, CATEGORIES, lambda: create(tenant))
