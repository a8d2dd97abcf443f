from __future__ import annotations

from typing import Any

import pytest
from py_vapid import Vapid02
from py_vapid.utils import b64urlencode
from pydantic import SecretStr

from delivery.models import ProviderAccount
from delivery.providers.push.vapid import authorization, public_key
from delivery.tests.push import VAPID_KEY, create_fcm, create_webpush
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from tenants.authentication import mint_recipient_token
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/push-key"
PUBLIC_KEY = public_key(Vapid02.from_string(VAPID_KEY))


@pytest.fixture
def ann(tenant: Tenant) -> Api:
    create_recipient(tenant, external_id="ann")
    return api(mint_recipient_token(tenant, external_id="ann", type="user")[0])


def another_key() -> tuple[str, str]:
    """A private key, and its public one."""
    pair = Vapid02()
    pair.generate_keys()
    private = pair.private_key.private_numbers().private_value.to_bytes(32, "big")
    return b64urlencode(private), public_key(pair)


def test_it_works(tenant: Tenant, ann: Api) -> None:
    create_webpush(tenant)
    answer = ann.get(URL)
    assert (answer.status_code, answer.json()) == (200, {"public_key": PUBLIC_KEY})
    assert len(PUBLIC_KEY) == 87, "65 bytes in base64url"


def test_it_is_the_one_that_signs() -> None:
    signed = authorization(SecretStr(VAPID_KEY), "mailto:a@shop.example", "https://push.example")
    assert signed.partition("k=")[2] == PUBLIC_KEY


def test_it_is_the_installations_where_the_tenant_has_no_account(ann: Api) -> None:
    create_webpush(None)
    assert ann.get(URL).json() == {"public_key": PUBLIC_KEY}


def test_it_is_the_tenants_own_before_the_installations(tenant: Tenant, ann: Api) -> None:
    create_webpush(None)
    private, public = another_key()
    create_webpush(tenant, private)
    assert ann.get(URL).json() == {"public_key": public}


def test_it_is_of_the_account_that_is_used_first(tenant: Tenant, ann: Api, sandbox: RunningSandbox) -> None:
    create_fcm(tenant, sandbox, priority=1)
    private, public = another_key()
    create_webpush(tenant, private, priority=2)
    create_webpush(tenant, priority=3)
    assert ann.get(URL).json() == {"public_key": public}


def test_one_whose_settings_do_not_open_is_passed_over(tenant: Tenant, ann: Api) -> None:
    broken = create_webpush(tenant, priority=1)
    ProviderAccount.objects.filter(pk=broken.pk).update(secrets=b"x" * 40)
    private, public = another_key()
    create_webpush(tenant, private, priority=2)
    assert ann.get(URL).json() == {"public_key": public}


@pytest.mark.parametrize("over", [{"is_enabled": False}, {"is_sandbox": True}])
def test_without_an_account_there_is_none(tenant: Tenant, ann: Api, over: Any) -> None:
    create_webpush(tenant, **over)
    answer = ann.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_push_key")
    assert answer["Content-Type"] == "application/problem+json"


def test_another_tenants_is_not_there(ann: Api) -> None:
    create_webpush(create_tenant())
    assert ann.get(URL).status_code == 404


def test_it_asks_for_a_recipients_token(tenant: Tenant) -> None:
    create_webpush(tenant)
    assert api(create_api_key(tenant)).get(URL).status_code == 401
    assert api("").get(URL).status_code == 401


def test_it_is_in_the_schema() -> None:
    document = api("").get("/api/schema?format=json").json()
    operation = document["paths"]["/api/v1/users/me/push-key"]["get"]
    assert operation["operationId"] == "my_push_key"
    assert operation["security"] == [{"recipientToken": []}]
