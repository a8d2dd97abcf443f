"""What a page that draws preferences is told of them."""

from __future__ import annotations

import pytest

from preferences.models import Category, Recipient
from preferences.suppressions import suppress
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.models import LookupValue
from tenants.tests.factories import Api, api, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/preferences/choices"


@pytest.fixture
def ann() -> Recipient:
    tenant = create_tenant()
    for fields in (
        {"code": "codes", "name": "Codes", "is_critical": True},
        {"code": "news", "name": "News", "channels": ["email", "sms"], "defaults": {"sms": False}},
    ):
        Category.objects.create(tenant=tenant, **fields)
    translated = {
        "type": "categories",
        "code": "news",
        "label": "News",
        "translations": {"de": "Neuigkeiten"},
    }
    LookupValue.objects.create(tenant=tenant, **translated)
    return create_recipient(tenant, external_id="ann", email="ann@example.com", phone="+12025550143")


def me(ann: Recipient) -> Api:
    return api(mint_recipient_token(ann.tenant, ann.external_id, ann.type)[0])


def test_it_works(ann: Recipient) -> None:
    suppress(ann.tenant_id, [("sms", "+12025550143", "unsubscribed")])
    told = me(ann).get(URL).json()
    channels = {choice.pop("channel"): choice for choice in told["channels"]}
    assert channels["email"] == {
        "label": "Email",
        "is_reachable": True,
        "suppressed": "",
        "address": channels["email"]["address"],
    }
    assert channels["email"]["address"].endswith("@example.com")
    assert "ann" not in channels["email"]["address"]
    assert channels["sms"]["suppressed"] == "unsubscribed"
    assert channels["in_app"]["is_reachable"]
    assert not channels["slack"]["is_reachable"]
    codes, news = (choice for choice in told["categories"] if choice["category"] in {"codes", "news"})
    assert (codes["essential"], codes["channels"].keys()) == (True, channels.keys())
    assert news == {
        "category": "news",
        "label": "News",
        "essential": False,
        "channels": {"email": True, "sms": False},
    }


@pytest.mark.parametrize(("locale", "label"), [("de-AT", "Neuigkeiten"), ("fr", "News"), ("", "News")])
def test_it_speaks_the_readers_language(ann: Recipient, locale: str, label: str) -> None:
    told = me(ann).get(URL, {"locale": locale}).json()
    assert label in [choice["label"] for choice in told["categories"]]


def test_there_is_nothing_for_who_is_nobody(ann: Recipient) -> None:
    nobody = api(mint_recipient_token(ann.tenant, "nobody", "user")[0])
    assert nobody.get(URL).status_code == 404
    assert api("").get(URL).status_code == 401
