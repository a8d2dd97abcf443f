from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from preferences.categories import create_default_categories
from preferences.channels import CHANNELS
from preferences.directory import resolve
from preferences.models import Preference, Recipient
from preferences.rules import QuietHours, Window
from preferences.signals import preferences_changed
from preferences.tests.factories import create_recipient
from preferences.tests.test_recipients_api import refusal
from templates_app.models import Template
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


NIGHT = {
    "enabled": True,
    "start": "22:00",
    "end": "07:00",
    "days": ["mon", "sun"],
    "timezone": "Europe/Berlin",
}
WEEK: dict[str, Any] = {
    "channels": {**ALL_ON, "sms": False},
    "categories": {**UNTOUCHED, "marketing": {"email": False}},
    "templates": {"order-shipped": {"email": False}},
    "quiet_hours": NIGHT,
    "do_not_disturb_until": "2030-01-01T09:00:00Z",
    "frequency": {"sms": {"max": 5, "per": "day"}},
}


@pytest.fixture
def template(tenant: Tenant) -> None:
    Template.objects.create(tenant=tenant, code="order-shipped", name="Order shipped")


@pytest.mark.usefixtures("template")
def test_all_of_it_comes_back_as_it_was_said(tenant: Tenant, ann: Api) -> None:
    answer = ann.put(URL, WEEK)
    assert answer.json() == ann.get(URL).json() == WEEK
    person = resolve(tenant, [("user", "ann")])["user", "ann"]
    assert person.templates == {("order-shipped", "email"): False}
    assert person.quiet_hours == QuietHours((Window(1320, 420, frozenset({0, 6})),), "Europe/Berlin")
    assert ann.put(URL, {}).json() == NOTHING_SAID


@pytest.mark.usefixtures("template")
def test_what_comes_back_changes_nothing(tenant: Tenant, ann: Api) -> None:
    """A page saves all that it shows: a channel shown as on asks for nothing that is off by default."""
    ann.put(URL, ann.get(URL).json())
    assert not Preference.objects.exists()
    ann.put(URL, WEEK)
    version = Recipient.objects.get().preferences_version
    ann.put(URL, ann.get(URL).json())
    ann.patch(URL, ann.get(URL).json())
    assert ann.get(URL).json() == WEEK
    assert Preference.objects.filter(level="channel", enabled=False).count() == 1
    assert Recipient.objects.get().preferences_version - version <= 1  # patch says that it wants what is on


@pytest.mark.usefixtures("template")
def test_patch_changes_what_is_given(ann: Api) -> None:
    ann.put(URL, WEEK)
    patch = {
        "channels": {"sms": None, "push": False},
        "categories": {"marketing": None, "alert": {"sms": True}},
        "quiet_hours": {"enabled": False},
        "frequency": {"sms": {"max": 1}},
        "do_not_disturb_until": None,
    }
    assert ann.patch(URL, patch).json() == {
        **WEEK,
        "channels": {**ALL_ON, "push": False},
        "categories": {**UNTOUCHED, "alert": {"sms": True}},
        "quiet_hours": {**NIGHT, "enabled": False},
        "frequency": {"sms": {"max": 1, "per": "day"}},
        "do_not_disturb_until": None,
    }
    assert ann.patch(URL, {"templates": None, "quiet_hours": None}).json()["quiet_hours"] is None
    assert refusal(ann.patch(URL, []), 400) == [("", "dict_type")]


SEVERAL = [{"start": "22:00", "end": "07:00", "days": ["fri"]}, {"start": "12:00", "end": "13:00"}]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"start": "22:00", "end": "07:00"}, {"enabled": True, "start": "22:00", "end": "07:00"}),
        ({"windows": SEVERAL, "digest": True}, {"enabled": True, "windows": SEVERAL, "digest": True}),
        ({"enabled": False}, {"enabled": False}),
        (
            {"start": "13:00", "end": "24:00", "days": ["Sunday", 1, "tue", "mon"]},
            {"enabled": True, "start": "13:00", "end": "24:00", "days": ["mon", "tue", "sun"]},
        ),
    ],
)
def test_quiet_hours_have_several_shapes(ann: Api, said: dict[str, Any], kept: dict[str, Any]) -> None:
    assert ann.put(URL, {"quiet_hours": said}).json()["quiet_hours"] == kept


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"templates": {"nothing": {"email": False}}}, [("/templates/nothing", "unknown_template")]),
        ({"templates": {"nothing": {"fax": False}}}, [("/templates/nothing/fax", "unknown_channel")]),
        ({"quiet_hours": {}}, [("/quiet_hours", "no_window")]),
        ({"quiet_hours": {"start": "22:00"}}, [("/quiet_hours", "half_a_window")]),
        ({"quiet_hours": {**NIGHT, "windows": SEVERAL}}, [("/quiet_hours", "two_shapes")]),
        ({"quiet_hours": {**NIGHT, "start": "25:00"}}, [("/quiet_hours/start", "string_pattern_mismatch")]),
        ({"quiet_hours": {**NIGHT, "days": []}}, [("/quiet_hours/days", "too_short")]),
        ({"quiet_hours": {**NIGHT, "days": [0]}}, [("/quiet_hours/days/0", "unknown_day")]),
        ({"quiet_hours": {**NIGHT, "days": [True]}}, [("/quiet_hours/days/0", "unknown_day")]),
        ({"quiet_hours": {**NIGHT, "timezone": "Mars"}}, [("/quiet_hours/timezone", "unknown_timezone")]),
        ({"quiet_hours": {**NIGHT, "mood": 1}}, [("/quiet_hours/mood", "unknown_field")]),
        ({"quiet_hours": {"start": "08:00", "end": "08:00"}}, [("/quiet_hours", "always_quiet")]),
        ({"do_not_disturb_until": "2030-01-01T09:00:00"}, [("/do_not_disturb_until", "timezone_aware")]),
        ({"frequency": {"fax": {"max": 1, "per": "day"}}}, [("/frequency/fax", "unknown_channel")]),
        ({"frequency": {"sms": {"max": -1, "per": "day"}}}, [("/frequency/sms/max", "greater_than_equal")]),
        (
            {"frequency": {"sms": {"per": "eon"}}},
            [("/frequency/sms/max", "missing"), ("/frequency/sms/per", "literal_error")],
        ),
    ],
)
def test_it_points_at_what_is_wrong(ann: Api, body: Any, errors: list[tuple[str, str]]) -> None:
    assert refusal(ann.put(URL, body), 400) == errors
    assert refusal(ann.patch(URL, body), 400) == errors
    assert ann.get(URL).json() == NOTHING_SAID


def test_a_service_says_it_for_its_recipient(tenant: Tenant, ann: Api) -> None:
    create_recipient(tenant, external_id="a/b", type="driver")
    service = api(create_api_key(tenant, ["recipients:read", "recipients:write"]))
    theirs = "/api/v1/services/recipients/a/b/preferences?type=driver"
    assert service.get(theirs).json() == NOTHING_SAID
    said = {"channels": {"sms": False}, "quiet_hours": {"start": "22:00", "end": "07:00"}}
    assert service.put(theirs, said).json()["channels"]["sms"] is False
    assert service.patch(theirs, {"quiet_hours": None}).json()["quiet_hours"] is None
    assert user(tenant, "a/b", "driver").get(URL).json()["channels"]["sms"] is False
    assert ann.get(URL).json() == NOTHING_SAID
    assert refusal(service.get("/api/v1/services/recipients/nobody/preferences"), 404) == []
    reader = api(create_api_key(tenant, ["recipients:read"]))
    assert reader.get(theirs).status_code == 200
    assert refusal(reader.put(theirs, said), 403) == refusal(reader.patch(theirs, said), 403) == []


def test_it_tells_once_that_something_changed(tenant: Tenant, ann: Api) -> None:
    heard: list[Any] = []

    def hear(*, recipient_ids: Any, **news: Any) -> None:
        heard.append(recipient_ids)

    preferences_changed.connect(hear)
    try:
        ann.put(URL, {"channels": {"sms": False}})
        ann.put(URL, {"channels": {"sms": False}})
        ann.put(f"{URL}/channels/sms", {"enabled": True})
        ann.patch(URL, {"quiet_hours": {"start": "22:00", "end": "07:00"}})
    finally:
        preferences_changed.disconnect(hear)
    assert heard == [[Recipient.objects.get().pk]] * 3
    assert Recipient.objects.get().preferences_version == 3
