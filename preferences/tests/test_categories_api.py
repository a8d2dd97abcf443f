"""Operators keep the tenant's categories, and block what is not to be sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from preferences.categories import categories, create_default_categories
from preferences.models import Category, Recipient
from preferences.rules import Window
from preferences.tests.factories import create_recipient
from preferences.tests.test_recipients_api import refusal
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import staff

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/categories"
BLOCKS = "/api/v1/admin/blocks"
WORKDAYS = {"start": "09:00", "end": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"]}
OFFERS: dict[str, Any] = {
    "code": "offers",
    "name": "Offers",
    "is_critical": False,
    "is_transactional": False,
    "unknown_policy": "stop",
    "channels": ["email", "sms"],
    "defaults": {"sms": False},
    "frequency": {
        "email": {"max": 2, "per": "week"},
        "all": {"max": 9, "per": "month", "then": "digest"},
    },
    "sending_hours": WORKDAYS,
    "skips_holidays": True,
    "block": "",
}


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant()
    create_default_categories(tenant)
    return tenant


class Operator:
    """The admin's session, speaking JSON."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __getattr__(self, method: str) -> Any:
        def call(url: str, body: Any = None) -> Any:
            given = {} if body is None else {"data": body, "content_type": "application/json"}
            return getattr(self.client, method)(url, **given)

        return call


@pytest.fixture
def operator(tenant: Tenant, admin_client: Client) -> Operator:
    return Operator(admin_client)


def version(tenant: Tenant) -> int:
    return Tenant.objects.get(pk=tenant.pk).rules_version


def test_it_works(tenant: Tenant, operator: Operator) -> None:
    created = operator.post(URL, OFFERS)
    assert (created.status_code, {**OFFERS, **created.json()}) == (201, created.json())
    rule = categories(tenant.pk)["offers"]
    assert rule.channels == frozenset({"email", "sms"})
    assert rule.hours == (Window(540, 1200, frozenset(range(5))),)
    assert not rule.defaults["sms"]
    assert rule.frequency == OFFERS["frequency"]
    assert operator.get(f"{URL}/offers").json() == created.json()
    assert next(row["code"] for row in operator.get(URL).json()["results"]) == "offers"


def test_it_is_replaced_and_changed(tenant: Tenant, operator: Operator) -> None:
    operator.post(URL, OFFERS)
    before = version(tenant)
    answer = operator.patch(f"{URL}/offers", {"name": "Sales", "defaults": {"sms": None, "push": False}})
    assert (answer.status_code, answer.json()["name"]) == (200, "Sales")
    assert (answer.json()["defaults"], answer.json()["channels"]) == ({"push": False}, ["email", "sms"])
    assert operator.patch(f"{URL}/offers", {"sending_hours": None}).json()["sending_hours"] is None
    caps = operator.patch(f"{URL}/offers", {"frequency": {"email": {"then": "defer"}, "all": {"then": None}}})
    assert caps.json()["frequency"] == {
        "email": {"max": 2, "per": "week", "then": "defer"},
        "all": {"max": 9, "per": "month"},
    }
    replaced = operator.put(f"{URL}/offers", {"name": "Offers", "is_critical": True}).json()
    assert (replaced["is_critical"], replaced["channels"], replaced["defaults"]) == (True, [], {})
    assert version(tenant) == before + 4


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"name": ""}, [("/name", "string_too_short")]),
        ({"channels": ["fax"]}, [("/channels/0", "unknown_channel")]),
        ({"defaults": {"fax": True}}, [("/defaults/fax", "unknown_channel")]),
        ({"defaults": {"sms": "no"}}, [("/defaults/sms", "bool_type")]),
        ({"frequency": {"sms": {"max": 1, "per": "year"}}}, [("/frequency/sms/per", "literal_error")]),
        ({"frequency": {"fax": {"max": 1, "per": "day"}}}, [("/frequency/fax", "unknown_channel")]),
        ({"frequency": {"all": {"max": "1", "per": "day"}}}, [("/frequency/all/max", "int_type")]),
        (
            {"frequency": {"push": {"max": -1}}},
            [("/frequency/push/max", "greater_than_equal"), ("/frequency/push/per", "missing")],
        ),
        ({"frequency": {"all": {"then": "wait"}}}, [("/frequency/all/then", "literal_error")]),
        (
            {"sending_hours": {"start": "9:00", "end": "20:00"}},
            [("/sending_hours/start", "string_pattern_mismatch")],
        ),
        ({"sending_hours": {"start": None}}, [("/sending_hours", "half_a_window")]),
        ({"sending_hours": {"start": None, "end": None}}, [("/sending_hours", "no_window")]),
        ({"sending_hours": {**WORKDAYS, "days": ["someday"]}}, [("/sending_hours/days/0", "unknown_day")]),
        ({"block": "x" * 201}, [("/block", "string_too_long")]),
        ({"code": "other"}, [("/code", "unknown_field")]),
        ({"moods": 1}, [("/moods", "unknown_field")]),
    ],
)
def test_it_refuses_and_changes_nothing(
    operator: Operator, change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    operator.post(URL, OFFERS)
    before = operator.get(f"{URL}/offers").json()
    assert refusal(operator.patch(f"{URL}/offers", change), 400) == errors
    assert operator.get(f"{URL}/offers").json() == before


def test_a_code_is_taken_once(operator: Operator) -> None:
    operator.post(URL, OFFERS)
    assert refusal(operator.post(URL, OFFERS), 409) == [("/code", "category_exists")]
    assert refusal(operator.post(URL, {**OFFERS, "code": "a b"}), 400) == [
        ("/code", "string_pattern_mismatch")
    ]


def test_it_is_deleted_but_not_the_one_for_all_else(tenant: Tenant, operator: Operator) -> None:
    operator.post(URL, OFFERS)
    assert operator.delete(f"{URL}/offers").status_code == 204
    assert operator.get(f"{URL}/offers").status_code == 404
    answer = operator.delete(f"{URL}/transactional")
    assert (answer.status_code, answer.json()["code"]) == (409, "category_in_use")
    assert Category.objects.filter(code="transactional").exists()


def test_blocks_work(tenant: Tenant, operator: Operator) -> None:
    create_recipient(tenant, external_id="ann/1", type="driver")
    why = {"reason": "contract has ended"}
    for place in ("channels/sms", "categories/marketing", "recipients/ann/1?type=driver"):
        answer = operator.put(f"{BLOCKS}/{place}", why)
        assert (answer.status_code, answer.json()) == (200, why)
    everything = {"channels": {"sms": why["reason"]}, "categories": {"marketing": why["reason"]}}
    assert operator.get(BLOCKS).json() == everything
    blocked = [{"id": "ann/1", "type": "driver", **why}]
    assert operator.get(f"{BLOCKS}/recipients").json()["results"] == blocked
    assert version(tenant) == 2
    for place in ("channels/sms", "categories/marketing", "recipients/ann/1?type=driver"):
        assert operator.delete(f"{BLOCKS}/{place}").status_code == 204
    assert operator.get(BLOCKS).json() == {"channels": {}, "categories": {}}
    assert operator.get(f"{BLOCKS}/recipients").json()["results"] == []
    assert Recipient.objects.get().preferences_version == 2


def test_blocks_refuse(operator: Operator) -> None:
    for place in ("channels/fax", "categories/gossip", "recipients/nobody"):
        assert refusal(operator.put(f"{BLOCKS}/{place}", {"reason": "no"}), 404) == []
    assert refusal(operator.put(f"{BLOCKS}/channels/sms", {}), 400) == [("/reason", "missing")]
    assert refusal(operator.put(f"{BLOCKS}/channels/sms", {"reason": " "}), 400) == [
        ("/reason", "string_too_short")
    ]


def test_it_takes_permissions(tenant: Tenant) -> None:
    viewer = Operator(staff("preferences.view_category", "preferences.view_recipient"))
    assert viewer.get(URL).status_code == viewer.get(BLOCKS).status_code == 200
    assert viewer.post(URL, OFFERS).status_code == 403
    assert viewer.put(f"{BLOCKS}/channels/sms", {"reason": "no"}).status_code == 403
    assert viewer.delete(f"{BLOCKS}/recipients/ann").status_code == 403


def test_another_tenants_is_not_there(tenant: Tenant, operator: Operator) -> None:
    other = create_tenant()
    create_default_categories(other)
    Category.objects.create(tenant=other, code="theirs", name="Theirs")
    operator.client.defaults["HTTP_X_TENANT"] = tenant.slug
    assert operator.get(f"{URL}/theirs").status_code == 404
    assert operator.delete(f"{URL}/theirs").status_code == 404
