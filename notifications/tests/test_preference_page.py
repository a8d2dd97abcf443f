"""`/preferences/{token}`, by people and what they press."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from notifications.tests.test_unsubscribe import browser, said
from preferences import switches
from preferences.categories import create_default_categories
from preferences.links import Link, seal
from preferences.models import Category, Device, Preference, Recipient
from preferences.rules.times import DAYS
from preferences.suppressions import among, suppress
from preferences.tests.factories import create_recipient
from templates_app.models import Brand
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant(name="Ann's Shop")
    create_default_categories(tenant)
    Category.objects.create(tenant=tenant, code="recall", name="Product recalls", is_critical=True)
    return tenant


@pytest.fixture
def ann(tenant: Tenant) -> Recipient:
    return create_recipient(tenant, external_id="ann", email="ann@example.com")


def url(recipient: Recipient, **over: Any) -> str:
    until = over.pop("until", timezone.now() + dt.timedelta(days=1))
    return f"/preferences/{seal(Link(recipient.tenant_id, recipient.pk, until, **over))}"


def form(page: str) -> dict[str, list[str]]:
    """What a browser would send of the settings, as they are shown."""
    inputs = [
        dict(re.findall(r'(\w+)="([^"]*)"', tag)) | {"tag": tag} for tag in re.findall(r"<input[^>]*>", page)
    ]
    return {
        "do": ["save"],
        "shown": [one["value"] for one in inputs if one.get("name") == "shown"],
        "was_on": [one["value"] for one in inputs if one.get("name") == "was_on"],
        "on": [one["value"] for one in inputs if one.get("name") == "on" and " checked" in one["tag"]],
    }


def press(recipient: Recipient, sent: dict[str, Any]) -> str:
    """The page after it, with what it says of it."""
    answer = browser().post(url(recipient), sent)
    assert answer.status_code == 303
    assert answer["Referrer-Policy"] == "no-referrer"
    return told(browser().get(answer["Location"]))


def told(response: Any) -> str:
    assert response.status_code == 200
    found = re.search(r'<ul class="said[^"]*">(.*?)</ul>', said(response))
    return " ".join(re.findall(r"<li>(.*?)</li>", found[1])) if found else ""


def switched(recipient: Recipient, *, on: list[str] = [], off: list[str] = []) -> str:  # noqa: B006
    """The boxes switched as a person would, and the page's words about it."""
    sent = form(said(browser().get(url(recipient))))
    sent["on"] = [name for name in sent["on"] if name not in off] + on
    return press(recipient, sent)


def stored(recipient: Recipient) -> dict[tuple[str, str], bool]:
    return {(row.key, row.channel): row.enabled for row in Preference.objects.filter(recipient=recipient)}


def test_it_works(ann: Recipient) -> None:
    page = said(browser().get(url(ann)))
    assert "What Ann&#x27;s Shop may send you, and how." in page
    assert "a•••@example.com" in page
    assert "ann@example.com" not in page
    assert form(page)["on"] == form(page)["shown"], "all is on"
    assert {name.partition(":")[2] for name in form(page)["shown"]} == {"email", "sms", "whatsapp", "in_app"}

    heard = switched(ann, off=[":sms", "marketing:email"])
    assert heard == "Saved. Text message: off News and offers, Email: off"
    assert stored(ann) == {("", "sms"): False, ("marketing", "email"): False}
    on = form(said(browser().get(url(ann))))["on"]
    assert not {name for name in on if name.endswith(":sms")}, "a channel that is off is off for all"
    assert "alert:email" in on


def test_a_category_may_be_an_exception_from_its_channel(ann: Recipient) -> None:
    switched(ann, off=[":email"])
    switched(ann, on=["alert:email"])
    assert stored(ann) == {("", "email"): False, ("alert", "email"): True}
    switched(ann, off=["alert:email"])
    assert stored(ann) == {("", "email"): False}, "what agrees with its channel follows it"


def test_only_what_was_changed_is_written(ann: Recipient) -> None:
    """Two pages are open: the later one does not undo the first."""
    first = second = form(said(browser().get(url(ann))))
    press(ann, {**first, "on": [name for name in first["on"] if name != "marketing:email"]})
    press(ann, {**second, "on": [name for name in second["on"] if name != ":sms"]})
    assert stored(ann) == {("", "sms"): False, ("marketing", "email"): False}


def page_of(recipient: Recipient) -> str:
    return said(browser().get(url(recipient)))


def test_quiet_hours(ann: Recipient) -> None:
    shown = re.search(r'name="quiet_shown" value="([^"]*)"', page_of(ann))
    assert shown
    night = {"do": "save", "quiet_shown": shown[1], "start": "22:00", "end": "07:00", "day": list(DAYS)}
    assert press(ann, night) == "Nothing was changed."
    assert press(ann, {**night, "quiet": "on"}) == "Saved. Quiet hours: 22:00 - 07:00"
    ann.refresh_from_db()
    assert ann.quiet_hours == {"enabled": True, "start": "22:00", "end": "07:00"}
    assert "By the clock of UTC." in page_of(ann)

    press(ann, {**night, "quiet": "on", "start": "23:30", "day": ["fri", "sat"]})
    ann.refresh_from_db()
    assert ann.quiet_hours == {"enabled": True, "start": "23:30", "end": "07:00", "days": ["fri", "sat"]}
    assert 'value="23:30"' in page_of(ann)

    shown_now = re.search(r'name="quiet_shown" value="([^"]*)"', page_of(ann))
    assert shown_now
    off = {**night, "start": "23:30", "day": ["fri", "sat"], "quiet_shown": shown_now[1]}
    assert press(ann, off) == "Saved. Quiet hours: off"


@pytest.mark.parametrize(
    "wrong", [{"start": "25:00"}, {"start": ""}, {"day": []}, {"start": "07:00"}, {"end": "<b>"}]
)
def test_quiet_hours_that_cannot_be_are_refused(ann: Recipient, wrong: dict[str, Any]) -> None:
    sent = {
        "do": "save",
        "quiet": "on",
        "quiet_shown": "",
        "start": "22:00",
        "end": "07:00",
        "day": list(DAYS),
    }
    assert press(ann, {**sent, **wrong}).startswith("This could not be saved.")
    ann.refresh_from_db()
    assert ann.quiet_hours is None


def test_several_windows_are_shown_and_switched(ann: Recipient) -> None:
    windows = [
        {"start": "22:00", "end": "07:00", "days": ["mon"]},
        {"start": "13:00", "end": "15:00"},
    ]
    stored_hours = {"enabled": True, "windows": windows, "timezone": "Asia/Tokyo"}
    Recipient.objects.filter(pk=ann.pk).update(quiet_hours=stored_hours)
    page = page_of(ann)
    assert "You have set several quiet hours elsewhere: Mon 22:00 - 07:00, 13:00 - 15:00." in page
    assert 'name="start"' not in page
    assert press(ann, {"do": "save", "quiet_shown": "1"}) == "Saved. Quiet hours: off"
    ann.refresh_from_db()
    assert ann.quiet_hours == {**stored_hours, "enabled": False}


def test_how_often(ann: Recipient) -> None:
    assert 'name="cap:email" value=""' in page_of(ann)
    assert "cap:in_app" not in page_of(ann), "it rings for nobody"
    sent = {
        "do": "save",
        "cap:email": "",
        "max:email": "2",
        "per:email": "week",
        "cap:sms": "",
        "max:sms": "",
    }
    assert press(ann, sent) == "Saved. Email: at most 2 a week"
    ann.refresh_from_db()
    assert ann.frequency == {"email": {"max": 2, "per": "week"}}
    assert 'name="cap:email" value="2 week"' in page_of(ann)
    assert press(ann, {"do": "save", "cap:email": "2 week", "max:email": ""}) == "Saved. Email: no limit"
    for wrong in ({"max:email": "-1"}, {"max:email": "x"}, {"max:email": "1", "per:email": "year"}):
        assert press(ann, {"do": "save", "cap:email": "", **wrong}).startswith("This could not be saved.")


@pytest.mark.parametrize(
    ("how_long", "until"),
    [
        ("hour", "2026-05-01T22:30+02:00"),
        ("tomorrow", "2026-05-02T08:00+02:00"),
        ("week", "2026-05-08T21:30+02:00"),
    ],
)
def test_a_pause(ann: Recipient, how_long: str, until: str) -> None:
    Recipient.objects.filter(pk=ann.pk).update(timezone="Europe/Berlin")
    with time_machine.travel(dt.datetime(2026, 5, 1, 19, 30, tzinfo=dt.UTC), tick=False):
        assert press(ann, {"do": "pause", "how_long": how_long}).startswith("Not disturbed until May")
        ann.refresh_from_db()
        assert ann.do_not_disturb_until == dt.datetime.fromisoformat(until)
        assert "Nothing rings until May" in page_of(ann)
        assert press(ann, {"do": "pause", "how_long": "end"}) == "You can be disturbed again."
    ann.refresh_from_db()
    assert ann.do_not_disturb_until is None


def test_a_category_is_shown_as_it_decides(ann: Recipient) -> None:
    """Where nothing was said its default counts, and only the channels that it may use are there."""
    Category.objects.filter(code="marketing").update(channels=["email", "sms"], defaults={"sms": False})
    shown = form(page_of(ann))
    assert {name for name in shown["shown"] if name.startswith("marketing")} == {
        "marketing:email",
        "marketing:sms",
    }
    assert "marketing:sms" not in shown["on"]
    switched(ann, off=[":sms"])
    switched(ann, on=[":sms"])
    assert stored(ann) == {}, "a channel that is on overrules no category"
    assert "marketing:sms" not in form(page_of(ann))["on"]
    switched(ann, on=["marketing:sms"])
    assert stored(ann) == {("marketing", "sms"): True}


def test_switches_of_what_is_gone_are_no_matter(ann: Recipient) -> None:
    gone = switches.Switches(categories={"gone": {"email": False}}, templates={"gone": {"sms": True}})
    switches.replace(ann, gone)
    assert switched(ann, off=["marketing:email"]).startswith("Saved.")
    assert switches.stored(ann).templates == gone.templates


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"do": "fly"},
        {"do": "save"},
        {"do": "save", "shown": ["recall:email", "x:y", ":fax", "::", ""], "on": ["x:y"]},
        {"do": "save", "shown": ["recall:email"], "was_on": ["recall:email"]},
        {"do": "forget", "device": "1"},
        {"do": "save", "quiet": "on", "max:email": "1", "per:email": "day"},
    ],
)
def test_what_is_not_on_the_page_changes_nothing(ann: Recipient, sent: dict[str, Any]) -> None:
    assert press(ann, sent) == "Nothing was changed."
    assert stored(ann) == {}


def test_essential_categories_are_named_and_have_no_switch(ann: Recipient) -> None:
    page = said(browser().get(url(ann)))
    assert "These cannot be switched off: Ann&#x27;s Shop has declared them essential" in page
    assert "<li>Product recalls</li>" in page
    assert not [name for name in form(page)["shown"] if name.startswith("recall")]


def test_everything_but_the_essential(ann: Recipient) -> None:
    said_before = switches.Switches(
        categories={"marketing": {"email": True}, "alert": {"sms": False}},
        templates={"sale": {"email": True}},
    )
    switches.replace(ann, said_before)
    assert press(ann, {"do": "leave_all"}) == "You now get nothing but what is essential."
    assert form(said(browser().get(url(ann))))["on"] == []
    assert stored(ann)["alert", "sms"] is False
    assert switches.stored(ann).templates == {}


def test_a_device_is_forgotten(ann: Recipient, tenant: Tenant) -> None:
    phone = Device.objects.create(tenant=tenant, recipient=ann, token="secret-token", platform="ios")
    other = Device.objects.create(tenant=tenant, recipient=create_recipient(tenant), token="other")
    page = said(browser().get(url(ann)))
    assert "iPhone or iPad" in page
    assert "secret-token" not in page
    assert press(ann, {"do": "forget", "device": str(other.pk)}) == "Nothing was changed."
    assert press(ann, {"do": "forget", "device": str(phone.pk)}) == "Removed: iPhone or iPad"
    assert list(Device.objects.all()) == [other]


def test_who_switches_it_on_is_written_to_again(ann: Recipient, tenant: Tenant) -> None:
    """By a link, or an answer of STOP, the address was suppressed."""
    suppress(tenant.pk, [("email", "ann@example.com", "unsubscribed")])
    page = said(browser().get(url(ann)))
    assert "You asked not to be written to here." in page
    assert "marketing:email" not in form(page)["on"]
    switched(ann, on=[":email"])
    with tenant_scope(tenant.pk):
        assert among(tenant.pk, [("email", "ann@example.com")]) == {}


def test_what_others_decided_no_switch_lifts(ann: Recipient, tenant: Tenant) -> None:
    suppress(tenant.pk, [("email", "ann@example.com", "complained")])
    page = said(browser().get(url(ann)))
    assert "You reported a message as spam." in page
    assert not [name for name in form(page)["shown"] if name.endswith(":email")]
    press(ann, {"do": "save", "shown": [":email"], "on": [":email"]})
    with tenant_scope(tenant.pk):
        assert among(tenant.pk, [("email", "ann@example.com")])


def test_a_link_opens_it_for_as_long_as_it_says(ann: Recipient) -> None:
    soon = timezone.now() + dt.timedelta(minutes=5)
    mailed, minted = url(ann, until=soon, channel="email", category="marketing"), url(ann, until=soon)
    with time_machine.travel(soon):
        assert "Unsubscribe" in said(browser().get(mailed)), "that it does for ever"
        for address in (mailed, minted):
            answer = browser().post(address, {"do": "leave_all"})
            assert answer.status_code == 410
            assert "This link has expired" in said(answer)
    assert stored(ann) == {}


def test_nobody_is_there_any_more(ann: Recipient) -> None:
    address = url(ann)
    ann.delete()
    assert browser().get(address).status_code == 410


def test_what_it_says_of_a_change_is_its_own(ann: Recipient) -> None:
    assert told(browser().get(url(ann) + "?said=You+won")) == ""
    sent = browser().post(url(ann) + "?lang=de", {"do": "leave_all"})
    assert "?lang=de&said=" in sent["Location"]
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=2)):
        assert told(browser().get(sent["Location"])) == "", "who reloads has heard it"


def test_its_words_are_its_own(ann: Recipient) -> None:
    """Other apps say "Sichern" for Save, and "E-Mail-Adresse" for Email."""
    page = said(browser().get(url(ann) + "?lang=de"))
    assert ">Speichern</button>" in page
    assert "<span>E-Mail</span>" in page


def test_it_looks_as_the_tenant_does(ann: Recipient, tenant: Tenant) -> None:
    Brand.objects.create(
        tenant=tenant,
        name="Ann & Sons",
        logo_url="https://cdn.shop.example/logo.png",
        primary_color="#ffe600",
    )
    answer = browser().get(url(ann))
    page = said(answer)
    assert '<img src="https://cdn.shop.example/logo.png" alt="Ann &amp; Sons"' in page
    assert "img-src 'self' https://cdn.shop.example/logo.png;" in answer["Content-Security-Policy"]
    sheet = re.search(r"/colors/(\w{6})-(\w{6})\.css", page)
    assert sheet
    assert (sheet[1] != "ffe600", sheet[2]) == (True, "ffe600"), "yellow cannot be read on white"
    assert f"--accent: #{sheet[1]};" in said(browser().get(sheet[0]))
    assert browser().get("/colors/red-ffe600.css").status_code == 404


def test_a_logo_cannot_widen_the_policy(ann: Recipient, tenant: Tenant) -> None:
    Brand.objects.create(tenant=tenant, logo_url="https://cdn.shop.example/a;script-src *,b.png")
    answer = browser().get(url(ann))
    assert "img-src 'self';" in answer["Content-Security-Policy"]
    assert "cdn.shop" not in said(answer)


def test_it_costs_a_handful_of_queries(ann: Recipient, django_assert_max_num_queries: Any) -> None:
    client, address = Client(), url(ann)
    with django_assert_max_num_queries(20):
        client.get(address)
