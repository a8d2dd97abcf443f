import datetime as dt

import pytest
from django.conf import settings
from django.utils import timezone

from preferences.tests.factories import create_recipient
from preferences.tests.test_recipients_api import refusal
from tenants.authentication import authenticate_recipient
from tenants.tests.factories import api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/services/recipients/ann/token"


def test_it_works() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann", type="driver")
    answer = api(create_api_key(tenant)).post(f"{URL}?type=driver")
    assert answer.status_code == 201
    identity = authenticate_recipient(answer.json()["token"])
    assert (identity.tenant, identity.type, identity.external_id) == (tenant, "driver", "ann")
    assert identity.expires_at == dt.datetime.fromisoformat(answer.json()["expires_at"])
    lifetime = dt.timedelta(seconds=settings.RECIPIENT_TOKEN_SECONDS)
    assert timezone.now() < identity.expires_at <= timezone.now() + lifetime


def test_it_makes_none_for_whom_nobody_stored() -> None:
    create_recipient(create_tenant(), external_id="ann")
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann", type="driver")
    assert refusal(api(create_api_key(tenant)).post(URL), 404) == []


def test_it_asks_for_a_scope() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann")
    assert refusal(api(create_api_key(tenant, ["recipients:read"])).post(URL), 403) == []
    assert refusal(api("ck_live_guess").post(URL), 401) == []
