from __future__ import annotations

import pytest
from django.test import Client

from tenants.lookups import DEFAULTS, USER_TYPES, LookupValue, values
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post, see

pytestmark = pytest.mark.django_db
PAGE = "/admin/tenants/lookupvalue/"


def test_it_works(admin_client: Client) -> None:
    tenant = create_tenant()
    said = {"tenant": str(tenant.pk), "type": USER_TYPES, "code": "vip", "label": "VIP", "translations": "{}"}
    page = post(admin_client, f"{PAGE}add/", said)
    assert "VIP" in page
    found = [value.code for value in values(tenant.pk, USER_TYPES)]
    assert found == [*(value.code for value in DEFAULTS[USER_TYPES]), "vip"]


def test_it_says_what_translations_are(admin_client: Client) -> None:
    said = {"tenant": str(create_tenant().pk), "type": USER_TYPES, "code": "vip", "label": "VIP"}
    for wrong in ("[1]", '{"de": 1}'):
        assert "It holds labels by locale" in post(
            admin_client, f"{PAGE}add/", {**said, "translations": wrong}
        ).replace("&#x27;", "'")
    assert not LookupValue.objects.exists()


def test_its_pages_are_bounded(admin_client: Client) -> None:
    tenant = create_tenant()
    LookupValue.objects.create(tenant=tenant, type="categories", code="hidden", label="Hidden away")

    def another() -> None:
        number = LookupValue.objects.count()
        LookupValue.objects.create(tenant=tenant, type=USER_TYPES, code=f"t{number}", label=f"T {number}")

    assert_bounded(admin_client, PAGE, another)
    assert "Hidden away" not in see(admin_client, PAGE)
