from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from preferences.addresses import mask
from preferences.models import Suppression
from preferences.suppressions import among, suppress
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post, see, staff

pytestmark = pytest.mark.django_db
SUPPRESSIONS = "/admin/preferences/suppression/"
_number = count(1)


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(country="DE")


def form(tenant: Tenant, **over: str) -> dict[str, str]:
    return {
        "tenant": str(tenant.pk),
        "channel": "email",
        "address": "Ann@Example.com",
        "reason": "manual",
        **over,
    }


def create(tenant: Tenant) -> Suppression:
    address = f"user-{next(_number)}@example.com"
    suppress(tenant.pk, [("email", address, "bounced")])
    return Suppression.objects.latest("pk")


@pytest.mark.parametrize(
    ("channel", "address", "kept"),
    [
        ("email", "Ann@Example.com", "ann@example.com"),
        ("sms", "030 901820", "+4930901820"),
        ("push", "a device's token", "a device's token"),
    ],
)
def test_it_works(admin_client: Client, tenant: Tenant, channel: str, address: str, kept: str) -> None:
    post(admin_client, f"{SUPPRESSIONS}add/", form(tenant, channel=channel, address=address))
    assert among(tenant.pk, [(channel, kept)]) == {(channel, kept): "manual"}
    row = Suppression.objects.get()
    assert (row.source, row.reference) == ("operator", "admin")
    page = see(admin_client, f"{SUPPRESSIONS}{row.pk}/change/")
    assert mask(channel, kept) in page
    assert kept not in page


@pytest.mark.parametrize(("channel", "error"), [("email", "email address"), ("sms", "phone number")])
def test_it_refuses_what_is_no_address(
    admin_client: Client, tenant: Tenant, channel: str, error: str
) -> None:
    page = post(admin_client, f"{SUPPRESSIONS}add/", form(tenant, channel=channel, address="none"))
    assert error in page
    assert not Suppression.objects.exists()


def test_it_refuses_what_is_suppressed_already(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, f"{SUPPRESSIONS}add/", form(tenant))
    page = post(admin_client, f"{SUPPRESSIONS}add/", form(tenant, address="ANN@example.com"))
    assert "suppressed already" in page
    assert Suppression.objects.count() == 1


def test_it_lifts(admin_client: Client, tenant: Tenant) -> None:
    one, other = create(tenant), create(tenant)
    assert "Lift selected suppressions" in see(admin_client, SUPPRESSIONS)
    lift = {"action": "delete_selected", "_selected_action": [str(one.pk)], "post": "yes"}
    post(admin_client, SUPPRESSIONS, lift)
    assert Suppression.objects.get() == other


def test_it_lets_only_those_lift_who_may_delete(tenant: Tenant) -> None:
    one = create(tenant)
    viewer = staff("preferences.view_suppression")
    assert viewer.post(f"{SUPPRESSIONS}{one.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Suppression.objects.exists()


def test_it_finds_an_address_however_it_is_spelled(admin_client: Client, tenant: Tenant) -> None:
    create(tenant)
    suppress(tenant.pk, [("email", "ann@example.com", "bounced")])
    one = Suppression.objects.latest("pk")
    found = admin_client.get(SUPPRESSIONS, {"q": "ANN@example.com"}).context["cl"].result_list
    assert found == [one]


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, SUPPRESSIONS, lambda: create(tenant))


def test_it_gives_out_a_file_and_takes_it_in(admin_client: Client, tenant: Tenant) -> None:
    suppress(tenant.pk, [("email", "ann@example.com", "bounced"), ("sms", "+4930901820", "manual")])
    assert "Export" in see(admin_client, SUPPRESSIONS)
    see(admin_client, f"{SUPPRESSIONS}export_file/")
    answer: Any = admin_client.post(f"{SUPPRESSIONS}export_file/", {"tenant": str(tenant.pk)})
    exported = b"".join(answer.streaming_content)
    assert b"ann@" not in exported
    file = SimpleUploadedFile("list.csv", exported)
    other = create_tenant()
    page = post(admin_client, f"{SUPPRESSIONS}import_file/", {"tenant": str(other.pk), "file": file})
    assert "2 suppressed, 0 were already." in page
    assert among(other.pk, [("email", "ann@example.com")]) == {("email", "ann@example.com"): "bounced"}


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("list.csv", b"channel,address\nsms,12\nsms,030901820\n", "This is not a phone number."),
        ("list.csv", b"mail\nann@example.com\n", "The first line has to name the columns"),
        ("list.jsonl", b"{]\n", "The body is not JSON"),
    ],
)
def test_it_names_lines_that_cannot_be_read(
    admin_client: Client, tenant: Tenant, name: str, body: bytes, told: str
) -> None:
    given = {"tenant": str(tenant.pk), "file": SimpleUploadedFile(name, body)}
    assert told in post(admin_client, f"{SUPPRESSIONS}import_file/", given)


def test_it_lets_only_those_import_who_may_add(tenant: Tenant) -> None:
    viewer = staff("preferences.view_suppression")
    assert viewer.get(f"{SUPPRESSIONS}import_file/").status_code == 403
    assert viewer.get(f"{SUPPRESSIONS}export_file/").status_code == 200
