from __future__ import annotations

import pytest
from django.test import Client

from tenants.lookups import DEFAULTS, USER_TYPES, LookupValue, values
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post, save, see

pytestmark = pytest.mark.django_db
PAGE = "/admin/tenants/lookupvalue/"


def form(**over: str) -> dict[str, str]:
    return {"tenant": str(create_tenant().pk), "type": USER_TYPES, "code": "vip", "label": "VIP", **over}


def test_it_works(admin_client: Client) -> None:
    given = {"translations-0-locale": "de", "translations-0-label": "Promi", "translations-1-locale": ""}
    page = post(admin_client, f"{PAGE}add/", form(**given))
    assert "VIP" in page
    value = LookupValue.objects.get(code="vip")
    assert value.translations == {"de": "Promi"}
    found = [value.code for value in values(value.tenant_id, USER_TYPES)]
    assert found == [*(value.code for value in DEFAULTS[USER_TYPES]), "vip"]
    save(admin_client, f"{PAGE}{value.pk}/change/", {"label": "V.I.P."})
    value.refresh_from_db()
    assert (value.label, value.translations) == ("V.I.P.", {"de": "Promi"})


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([("de", "")], "A row has a locale and a label, or neither."),
        ([("", "Promi")], "A row has a locale and a label, or neither."),
        ([("german!", "Promi")], "german! is not a BCP 47 language tag"),
        ([("de", "Promi"), ("de", "Star")], "A locale stands there twice."),
    ],
)
def test_it_says_what_translations_are(admin_client: Client, rows: list[tuple[str, str]], error: str) -> None:
    given = {
        f"translations-{place}-{name}": value
        for place, row in enumerate(rows)
        for name, value in zip(("locale", "label"), row, strict=True)
    }
    assert error in post(admin_client, f"{PAGE}add/", form(**given))
    assert not LookupValue.objects.exists()


def test_its_pages_are_bounded(admin_client: Client) -> None:
    tenant = create_tenant()
    LookupValue.objects.create(tenant=tenant, type="categories", code="hidden", label="Hidden away")

    def another() -> None:
        number = LookupValue.objects.count()
        LookupValue.objects.create(tenant=tenant, type=USER_TYPES, code=f"t{number}", label=f"T {number}")

    assert_bounded(admin_client, PAGE, another)
    assert "Hidden away" not in see(admin_client, PAGE)
