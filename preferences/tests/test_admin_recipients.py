from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from preferences.categories import create_default_categories
from preferences.models import Device, Preference, Recipient
from preferences.tests.factories import create_recipient
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, filled, post, queries, save, see, staff

pytestmark = pytest.mark.django_db
RECIPIENTS = "/admin/preferences/recipient/"
NO_ROWS = {
    f"{inline}-{total}_FORMS": "0" for inline in ("devices", "preferences") for total in ("TOTAL", "INITIAL")
}


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant(country="DE")
    create_default_categories(tenant)
    return tenant


def form(tenant: Tenant, **over: str) -> dict[str, str]:
    return {"tenant": str(tenant.pk), "external_id": "ann", "type": "user", **NO_ROWS, **over}


def change(recipient: Recipient) -> str:
    return f"{RECIPIENTS}{recipient.pk}/change/"


def rows(inline: str, *given: dict[str, str]) -> dict[str, str]:
    fields = {
        f"{inline}-{index}-{name}": value for index, row in enumerate(given) for name, value in row.items()
    }
    return {**fields, f"{inline}-TOTAL_FORMS": str(len(given))}


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    given = {
        "email": "Ann@Example.COM",
        "phone": "030 901820",
        "locale": "de-de",
        "timezone": "Europe/Berlin",
    }
    post(admin_client, f"{RECIPIENTS}add/", form(tenant, **given))
    ann = Recipient.objects.get(tenant=tenant, external_id="ann")
    assert (ann.email, ann.phone, ann.locale) == ("Ann@example.com", "+4930901820", "de-DE")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("email", "ann", "This is not an email address."),
        ("phone", "none", "This is not a phone number."),
        ("locale", "klingonisch!", "This is not a BCP 47 language tag"),
        ("timezone", "Mars/Base", "This is not an IANA time zone"),
        ("webhook", "ftp://x", "This is not an http or https URL."),
    ],
)
def test_it_puts_errors_on_the_field(
    admin_client: Client, tenant: Tenant, field: str, value: str, error: str
) -> None:
    answer = admin_client.post(f"{RECIPIENTS}add/", form(tenant, **{field: value}))
    assert error in str(answer.context["adminform"].form.errors[field])
    assert not Recipient.objects.exists()


def test_it_survives_a_form_without_a_tenant(admin_client: Client, tenant: Tenant) -> None:
    page = post(admin_client, f"{RECIPIENTS}add/", form(tenant, phone="030 901820") | {"tenant": ""})
    assert "This field is required" in page


def test_it_never_changes_the_identity(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant, external_id="ann")
    post(admin_client, change(ann), form(tenant, external_id="eve", email="new@example.com"))
    ann.refresh_from_db()
    assert (ann.external_id, ann.email) == ("ann", "new@example.com")


def test_it_keeps_devices_and_switches(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant, external_id="ann")
    device = rows("devices", {"token": "abc", "platform": "ios"})
    off = {"channel": "email"}
    switches = rows("preferences", {**off, "key": "category:marketing"}, {**off, "key": "", "enabled": "on"})
    post(admin_client, change(ann), form(tenant, **device, **switches))
    assert Device.objects.get(recipient=ann).tenant == tenant
    assert set(Preference.objects.values_list("level", "key", "channel", "enabled")) == {
        ("category", "marketing", "email", False),
        ("channel", "", "email", True),
    }


def test_a_template_keeps_its_switches(admin_client: Client, tenant: Tenant) -> None:
    """Also one of a template or category that is not there any more."""
    ann = create_recipient(tenant, external_id="ann")
    stated = {("template", "offer"), ("category", "offer"), ("category", "marketing"), ("channel", "")}
    for level, key in stated:
        Preference.objects.create(
            tenant=tenant, recipient=ann, level=level, key=key, channel="email", enabled=False
        )
    assert "offer (there is none any more)" in see(admin_client, change(ann))
    save(admin_client, change(ann), {"email": "new@example.com"})
    assert set(Preference.objects.values_list("level", "key", "enabled")) == {(*one, False) for one in stated}
    assert "preference" not in LogEntry.objects.latest("pk").get_change_message()
    shown = filled(admin_client, change(ann))
    (row,) = (name.removesuffix("-key") for name, value in shown.items() if value == ["template:offer"])
    save(admin_client, change(ann), {f"{row}-enabled": "on"})
    assert Preference.objects.get(enabled=True).level == "template"


QUIET = {"enabled": True, "start": "22:00", "end": "07:00", "timezone": "Europe/Berlin", "digest": True}


def test_it_keeps_quiet_hours_a_pause_caps_and_a_block(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant, external_id="ann")
    given = {"quiet_hours_windows-0-start": "22:00", "quiet_hours_windows-0-end": "07:00"}
    given |= {"quiet_hours_timezone": "Europe/Berlin", "quiet_hours_digest": "yes", "block": "a debt"}
    given |= {"do_not_disturb_until_0": "2200-01-01", "do_not_disturb_until_1": "09:30"}
    save(admin_client, change(ann), given | {"frequency-sms-max": "3", "frequency-sms-per": "week"})
    ann.refresh_from_db()
    assert (ann.quiet_hours, ann.block, ann.preferences_version) == (QUIET, "a debt", 1)
    assert ann.do_not_disturb_until == dt.datetime(2200, 1, 1, 9, 30, tzinfo=dt.UTC)
    assert ann.frequency == {"sms": {"max": 3, "per": "week"}}
    save(admin_client, change(ann), without="quiet_hours_on")
    ann.refresh_from_db()
    assert (ann.quiet_hours, ann.preferences_version) == ({**QUIET, "enabled": False}, 2)
    save(admin_client, change(ann))
    ann.refresh_from_db()
    assert (ann.quiet_hours, ann.preferences_version) == ({**QUIET, "enabled": False}, 2)
    save(admin_client, change(ann), {"quiet_hours_windows-0-start": "", "quiet_hours_windows-0-end": ""})
    assert Recipient.objects.get().quiet_hours is None


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"start": "22:00"}, "Give both start and end."),
        ({"start": "22.00", "end": "07:00"}, "start: a time is written as 07:30, up to 24:00."),
        ({"start": "00:00", "end": "24:00"}, "This leaves no time at all"),
        ({"start": "22:00", "end": "07:00", "quiet_hours_timezone": "Mars/Base"}, "timezone: This is not an"),
        ({"frequency-sms-max": "10001"}, "sms, max: Input should be less than"),
    ],
)
def test_it_says_what_is_wrong_with_hours_and_caps(
    admin_client: Client, tenant: Tenant, given: dict[str, str], error: str
) -> None:
    ann = create_recipient(tenant, external_id="ann")
    window = {f"quiet_hours_windows-0-{name}": given[name] for name in ("start", "end") if name in given}
    assert error in save(admin_client, change(ann), given | window)
    assert Recipient.objects.filter(quiet_hours__isnull=True, preferences_version=0).exists()


def test_a_change_meanwhile_is_counted_too(admin_client: Client, tenant: Tenant) -> None:
    """What is planned is decided again wherever the count differs: no two changes may have the same one."""
    ann = create_recipient(tenant, external_id="ann")
    typed = filled(admin_client, change(ann))
    Recipient.objects.update(preferences_version=7)
    post(admin_client, change(ann), typed | {"email": "new@example.com"})
    assert Recipient.objects.get().preferences_version == 8


def test_who_may_not_change_preferences_sees_them(tenant: Tenant) -> None:
    ann = create_recipient(tenant, external_id="ann", quiet_hours=QUIET)
    Preference.objects.create(tenant=tenant, recipient=ann, level="channel", channel="sms", enabled=False)
    clerk = staff("preferences.view_recipient", "preferences.view_preference")
    assert "all by sms: off" in see(clerk, change(ann)).lower()
    assert clerk.post(change(ann), {}).status_code == 403


def test_it_refuses_two_switches_for_one_thing(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant, external_id="ann")
    switches = rows("preferences", {"channel": "sms"}, {"channel": "sms", "enabled": "on"})
    assert "There is a switch for this already." in post(admin_client, change(ann), form(tenant, **switches))
    assert not Preference.objects.exists()


def test_it_refuses_a_device_that_another_has(admin_client: Client, tenant: Tenant) -> None:
    create_recipient(tenant, ["taken"], external_id="bob")
    ann = create_recipient(tenant, external_id="ann")
    page = post(admin_client, change(ann), form(tenant, **rows("devices", {"token": "taken"})))
    assert "This device is registered already." in page


@pytest.mark.parametrize("term", ["ann", "ann@ex", "+1202555"])
def test_it_finds_by_id_and_by_how_an_address_begins(admin_client: Client, tenant: Tenant, term: str) -> None:
    create_recipient(tenant, external_id="ann", email="ann@example.com", phone="+12025550143")
    create_recipient(tenant, external_id="bob", phone="+4930901820")
    found = admin_client.get(RECIPIENTS, {"q": term}).context["cl"].result_list
    assert [recipient.external_id for recipient in found] == ["ann"]


def test_it_pages_by_key(admin_client: Client, tenant: Tenant) -> None:
    made = [create_recipient(tenant) for _ in range(51)]
    first = admin_client.get(RECIPIENTS).context["cl"]
    assert [row.pk for row in first.result_list] == [row.pk for row in reversed(made[1:])]
    assert first.newest_url is None
    second = admin_client.get(RECIPIENTS + first.older_url).context["cl"]
    assert [row.pk for row in second.result_list] == [made[0].pk]
    assert second.older_url is None
    assert admin_client.get(RECIPIENTS + second.newest_url).context["cl"].result_list == first.result_list


def test_it_ignores_a_page_and_an_order_that_are_none(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant)
    found = admin_client.get(RECIPIENTS, {"p": "2 OR 1=1", "o": "1"}).context["cl"]
    assert found.result_list == [ann]
    assert found.get_ordering(None, found.root_queryset) == ["-pk"]


def test_it_filters_by_time(admin_client: Client, tenant: Tenant) -> None:
    create_recipient(tenant)
    for side, count in (("from", 0), ("to", 1)):
        params = {f"created_at_{side}_0": "2200-01-01", f"created_at_{side}_1": ""}
        assert len(admin_client.get(RECIPIENTS, params).context["cl"].result_list) == count
    nonsense = {"created_at_from_0": "yesterday", "created_at_from_1": "noon"}
    assert len(admin_client.get(RECIPIENTS, nonsense).context["cl"].result_list) == 1


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, RECIPIENTS, lambda: create_recipient(tenant))
    assert not [sql for sql in queries(admin_client, RECIPIENTS) if "COUNT(" in sql or "OFFSET" in sql]


def test_it_opens_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    ann = create_recipient(tenant, ["a"])
    see(admin_client, change(ann))
    few = len(queries(admin_client, change(ann)))
    Device.objects.bulk_create(Device(tenant=tenant, recipient=ann, token=str(n)) for n in range(20))
    assert len(queries(admin_client, change(ann))) == few
