"""A time zone is what somebody said, or the tenant's: never a guess from a number or an address."""

from __future__ import annotations

import pytest

from preferences.addresses import RecipientFields
from preferences.directory import merge, once, resolve
from preferences.models import Recipient
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db
URL = "/api/v1/services/recipients"


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(country="DE", timezone="Europe/Berlin", locale="de")


@pytest.fixture
def service(tenant: Tenant) -> Api:
    return api(create_api_key(tenant))


@pytest.mark.parametrize("phone", ["+12025550143", "+819012345678", "+61491570006", "0171 2345678"])
def test_it_is_the_tenants_whatever_the_phones_country(tenant: Tenant, service: Api, phone: str) -> None:
    """From Tokyo's address, in Japanese: of neither does a zone follow."""
    service.defaults |= {"REMOTE_ADDR": "133.0.0.1", "HTTP_X_FORWARDED_FOR": "133.0.0.1"}
    service.defaults |= {"HTTP_ACCEPT_LANGUAGE": "ja", "HTTP_TIMEZONE": "Asia/Tokyo"}
    said = {"phone": phone, "locale": "ja-JP"}
    assert service.put(f"{URL}/ann", said).json()["timezone"] is None
    service.patch(f"{URL}/ann", {"locale": "en-AU"})
    service.post(f"{URL}/bulk", {"recipients": [{"id": "bob", **said}]})
    merge(tenant, [RecipientFields(id="cho", phone="+819012345678")])
    assert set(Recipient.objects.values_list("timezone", flat=True)) == {""}
    people = resolve(tenant, [("user", id) for id in ("ann", "bob", "cho")])
    assert {person.timezone for person in people.values()} == {"Europe/Berlin"}
    assert once(tenant, RecipientFields(phone="+819012345678")).timezone == "Europe/Berlin"


def test_it_is_what_was_said(tenant: Tenant, service: Api) -> None:
    service.put(f"{URL}/ann", {"phone": "+12025550143", "timezone": "Asia/Tokyo"})
    assert resolve(tenant, [("user", "ann")])["user", "ann"].timezone == "Asia/Tokyo"
