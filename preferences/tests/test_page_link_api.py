"""A recipient's token exchanged for a link to the hosted page."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from pytest_django.fixtures import Settings

from preferences.links import unseal
from preferences.recipients import remove
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/preferences/link"


def test_it_works(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://notify.example.com"
    ann = create_recipient(create_tenant(), external_id="ann")
    token, expires_at = mint_recipient_token(ann.tenant, "ann", "user")
    answer = api(token).post(URL)
    assert answer.status_code == 201
    assert dt.datetime.fromisoformat(answer.json()["expires_at"]) == expires_at
    start, _, sealed = answer.json()["url"].rpartition("/")
    link = unseal(sealed)
    assert start == "https://notify.example.com/preferences"
    assert link is not None
    assert (link.recipient_id, link.until, link.category) == (ann.pk, expires_at, ""), (
        "it unsubscribes nobody"
    )


def test_it_lives_no_longer_than_the_token() -> None:
    ann = create_recipient(create_tenant(), external_id="ann")
    client = api(mint_recipient_token(ann.tenant, "ann", "user")[0])
    page = client.post(URL).json()["url"].partition("/preferences/")[2]
    assert Api("").get(f"/preferences/{page}").status_code == 200
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(days=1)):
        assert client.post(URL).status_code == 401
        assert Api("").get(f"/preferences/{page}").status_code == 410


def test_only_recipients_have_one() -> None:
    tenant = create_tenant()
    ann = create_recipient(tenant, external_id="ann")
    client = api(mint_recipient_token(tenant, "ann", "user")[0])
    remove(tenant, ("user", ann.external_id))
    assert client.post(URL).status_code == 404
    assert api(create_api_key(tenant)).post(URL).status_code == 401
