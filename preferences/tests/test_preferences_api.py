from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from preferences.categories import create_default_categories
from preferences.channels import CHANNELS
from preferences.directory import resolve
from preferences.models import Preference, Recipient
from preferences.tests.factories import create_recipient
from preferences.tests.test_recipients_api import refusal
from tenants.authentication import mint_recipient_token
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/preferences"
ALL_ON = dict.fromkeys(CHANNELS, True)
UNTOUCHED: dict[str, dict[str, bool]] = {"alert": {}, "marketing": {}, "system": {}, "transactional": {}}
NOTHING_SAID: dict[str, Any] = {
    "channels": ALL_ON,
    "categories": UNTOUCHED,
    "templates": {},
    "quiet_hours": None,
    "do_not_disturb_until": None,
    "frequency": {},
}


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant()
    create_default_categories(tenant)
    create_recipient(tenant, external_id="ann")
    return tenant


@pytest.fixture
def ann(tenant: Tenant) -> Api:
    return user(tenant)


def user(tenant: Tenant, external_id: str = "ann", type_: str = "user") -> Api:
    return api(mint_recipient_token(tenant, external_id=external_id, type=type_)[0])


def test_it_works(tenant: Tenant, ann: Api) -> None:
    assert ann.get(URL).json() == NOTHING_SAID
    marketing = {"email": False, "sms": True}
    answer = ann.put(URL, {"channels": {"sms": False}, "categories": {"marketing": marketing}})
    assert answer.status_code == 200
    assert (
        answer.json()
        == ann.get(URL).json()
        == {
            **NOTHING_SAID,
            "channels": {**ALL_ON, "sms": False},
            "categories": {**UNTOUCHED, "marketing": marketing},
        }
    )


def test_it_is_what_planning_sees(tenant: Tenant, ann: Api) -> None:
    ann.put(URL, {"channels": {"sms": False}, "categories": {"marketing": {"email": False}}})
    person = resolve(tenant, [("user", "ann")])["user", "ann"]
    assert (person.channels, person.categories) == ({"sms": False}, {("marketing", "email"): False})


def test_put_forgets_what_is_left_out(ann: Api) -> None:
    ann.put(URL, {"channels": {"sms": False}, "categories": {"marketing": {"email": False}}})
    assert ann.put(URL, {}).json() == NOTHING_SAID
    assert not Preference.objects.exists()


def test_it_keeps_to_its_bearer(tenant: Tenant, ann: Api) -> None:
    create_recipient(tenant, external_id="bob")
    create_recipient(tenant, external_id="ann", type="driver")
    ann.put(URL, {"channels": {"sms": False}})
    assert user(tenant, "bob").get(URL).json()["channels"] == ALL_ON
    assert user(tenant, "ann", "driver").get(URL).json()["channels"] == ALL_ON


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"channels": {"fax": False}}, [("/channels/fax", "unknown_channel")]),
        ({"channels": {"sms": "no"}}, [("/channels/sms", "bool_type")]),
        ({"channels": {"sms": 0}}, [("/channels/sms", "bool_type")]),
        ({"channels": []}, [("/channels", "dict_type")]),
        ({"categories": {"gossip": {"sms": False}}}, [("/categories/gossip", "unknown_category")]),
        ({"categories": {"a/b": {}}}, [("/categories/a~1b", "unknown_category")]),
        ({"categories": {"marketing": {"fax": True}}}, [("/categories/marketing/fax", "unknown_channel")]),
        ({"categories": {"marketing": False}}, [("/categories/marketing", "dict_type")]),
        ({"categories": {"market\0ing": {}}}, [("/categories", "control_character")]),
        ({"moods": {}}, [("/moods", "unknown_field")]),
        ([], [("", "model_type")]),
    ],
)
def test_it_refuses_and_changes_nothing(ann: Api, body: Any, errors: list[tuple[str, str]]) -> None:
    ann.put(URL, {"channels": {"push": False}})
    assert refusal(ann.put(URL, body), 400) == errors
    assert ann.get(URL).json()["channels"] == {**ALL_ON, "push": False}


def test_channel_works(ann: Api) -> None:
    for enabled in (False, True, False):
        answer = ann.put(f"{URL}/channels/email", {"enabled": enabled})
        assert (answer.status_code, answer.json()) == (200, {"channel": "email", "enabled": enabled})
        assert ann.get(URL).json()["channels"]["email"] is enabled


def test_channel_leaves_the_rest_alone(ann: Api) -> None:
    ann.put(URL, {"channels": {"sms": False}, "categories": {"marketing": {"email": True}}})
    ann.put(f"{URL}/channels/email", {"enabled": False})
    after = ann.get(URL).json()
    assert after["channels"] == {**ALL_ON, "sms": False, "email": False}
    assert after["categories"]["marketing"] == {"email": True}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/enabled", "missing")]),
        ({"enabled": "yes"}, [("/enabled", "bool_type")]),
        ({"enabled": None}, [("/enabled", "bool_type")]),
        ({"enabled": True, "why": "x"}, [("/why", "unknown_field")]),
    ],
)
def test_channel_refuses(ann: Api, body: Any, errors: list[tuple[str, str]]) -> None:
    assert refusal(ann.put(f"{URL}/channels/email", body), 400) == errors


def test_channel_refuses_one_that_there_is_not(ann: Api) -> None:
    answer = ann.put(f"{URL}/channels/fax", {"enabled": True})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_channel")


def test_it_finds_nothing_for_who_was_deleted(tenant: Tenant, ann: Api) -> None:
    Recipient.objects.all().delete()
    assert refusal(ann.get(URL), 404) == []
    assert refusal(ann.put(URL, {}), 404) == []
    assert refusal(ann.put(f"{URL}/channels/email", {"enabled": True}), 404) == []


def test_it_asks_for_a_recipients_token(tenant: Tenant) -> None:
    for credential in ("nobody", create_api_key(tenant)):
        assert refusal(api(credential).get(URL), 401) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_wholly_the_last(tenant: Tenant) -> None:
    def work(thread: int) -> int:
        try:
            ann, on = user(tenant), bool(thread % 2)
            return [ann.put(URL, {"channels": dict.fromkeys(CHANNELS, on)}).status_code for _ in range(5)][-1]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(work, range(4))) == {200}
    assert len(set(user(tenant).get(URL).json()["channels"].values())) == 1
