from __future__ import annotations

import pytest
from django.test import Client

from preferences.models import Category
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post, save, see

pytestmark = pytest.mark.django_db
TENANTS = "/admin/tenants/tenant/"


def form(**over: object) -> dict[str, object]:
    known = {"name": "Shop", "slug": "shop", "is_active": "on", "locale": "en", "timezone": "Europe/Berlin"}
    known |= {"sms_max_segments": "10", "frequency_then": "drop", "release_spread": "600"}
    return {**known, "country": "de", "default_channels": '["in_app", ["sms", "email"]]', **over}


def test_it_works(admin_client: Client) -> None:
    post(admin_client, f"{TENANTS}add/", form())
    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.country) == ("shop", "DE")
    assert tenant.default_channels == ["in_app", ["sms", "email"]]


def test_it_gives_a_new_tenant_its_categories(admin_client: Client) -> None:
    post(admin_client, f"{TENANTS}add/", form())
    assert Category.objects.filter(tenant__slug="shop", code="transactional").exists()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("timezone", "Berlin", "not an IANA time zone"),
        ("country", "1!", "not an ISO 3166 code"),
        ("default_channels", '{"email": 1}', "should be a valid list"),
        ("default_channels", "[[]]", "/0: List should have at least 1 item"),
        ("default_channels", '["pigeon"]', "/0: there is no channel"),
        ("default_channels", '["sms", {"chain": ["push", "fax"], "within": 9}]', "/1/chain/1: there is no"),
        ("default_channels", '[{"chain": ["push", "sms"], "within": 0}]', "/0/within: Input should be"),
        ("default_channels", '[{"channel": "fax", "if": "online"}]', "/0/channel: there is no channel"),
        ("default_channels", '[{"channel": "push", "unless": "online"}]', "/0/if: Field required"),
        (
            "default_channels",
            '[["sms", {"channel": "sms", "if": "online"}]]',
            "/0/1/channel: sms has a condition",
        ),
        ("fallback", '{"push": {"channel": "push", "if": "offline"}}', "a chain is a list"),
        ("fallback", '{"sms": ["sms", {"channel": "sms", "if": "online"}]}', "sms: sms has a condition"),
        ("fallback", '{"pigeon": ["sms"]}', "There is no channel"),
        ("fallback", '{"sms": "sms"}', "a chain is a list"),
        ("fallback", '{"sms": ["email", "sms"]}', "its chain begins with"),
        ("account_order", '{"fax": ["main"]}', "There is no channel"),
        ("account_order", '{"sms": ["main", "main"]}', "named twice"),
        ("account_order", '{"sms": "main"}', "/sms: Input should be a valid list"),
        ("frequency-sms-max", "1.5", "sms, max: Input should be a valid integer"),
        ("frequency-all-max", "10001", "all channels, max: Input should be less than or equal to 10000"),
        ("blocked_channels-sms-why", "x" * 201, "sms: a reason has at most 200 characters."),
        ("holidays", "12-25 25.12.", "25.12. is no day such as"),
        ("holidays", "2027-02-29", "2027-02-29 is no day such as"),
        ("holidays", "20270326", "20270326 is no day such as"),
        ("release_spread", "-1", "greater than or equal to 0"),
        ("sms_max_segments", "0", "greater than or equal to 1"),
    ],
)
def test_it_refuses_what_is_none(admin_client: Client, field: str, value: str, error: str) -> None:
    assert error in post(admin_client, f"{TENANTS}add/", form(**{field: value}))
    assert not Tenant.objects.exists()


def test_it_takes_chains_that_wait_orders_and_caps(admin_client: Client) -> None:
    chains = '{"sms": ["sms", "email"], "push": {"chain": ["push", "sms"], "within": 600}}'
    said = {"fallback": chains, "account_order": '{"sms": ["backup", "main"]}'}
    said |= {"frequency-sms-max": "5", "frequency-sms-per": "day", "frequency-all-max": "20"}
    said |= {"frequency-all-per": "week", "frequency-all-then": "defer"}
    post(admin_client, f"{TENANTS}add/", form(**said))
    tenant = Tenant.objects.get()
    assert tenant.frequency == {
        "all": {"max": 20, "per": "week", "then": "defer"},
        "sms": {"max": 5, "per": "day"},
    }
    assert tenant.fallback["push"] == {"chain": ["push", "sms"], "within": 600}
    assert tenant.account_order == {"sms": ["backup", "main"]}


def test_it_keeps_a_calendar_and_blocks(admin_client: Client) -> None:
    tenant = create_tenant()
    page = f"{TENANTS}{tenant.pk}/change/"
    given = {"holidays": "2027-03-26\r\n12-25\r\n02-29 12-25", "blocked_channels-sms-why": " No contract. "}
    save(admin_client, page, given)
    save(admin_client, page, {"name": "Shop"})
    tenant.refresh_from_db()
    assert (tenant.name, tenant.rules_version) == ("Shop", 2)
    assert tenant.holidays == ["02-29", "12-25", "2027-03-26"]
    assert tenant.blocked_channels == {"sms": "No contract."}
    save(
        admin_client,
        page,
        {"blocked_channels-sms-why": "", "quiet_digest": "on"},
        without="quiet_lets_urgent_pass",
    )
    tenant.refresh_from_db()
    assert (tenant.blocked_channels, tenant.quiet_digest, tenant.quiet_lets_urgent_pass) == ({}, True, False)


def test_it_never_changes_the_slug(admin_client: Client) -> None:
    tenant = create_tenant(slug="old")
    post(admin_client, f"{TENANTS}{tenant.pk}/change/", form(name="New"))
    tenant.refresh_from_db()
    assert (tenant.slug, tenant.name) == ("old", "New")


def test_it_never_deletes(admin_client: Client) -> None:
    tenant = create_tenant()
    assert admin_client.post(f"{TENANTS}{tenant.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in see(admin_client, TENANTS)
    assert "manage.py delete_tenant" in see(admin_client, f"{TENANTS}{tenant.pk}/change/")


def test_it_lists_within_bounds(admin_client: Client) -> None:
    assert_bounded(admin_client, TENANTS, create_tenant)
