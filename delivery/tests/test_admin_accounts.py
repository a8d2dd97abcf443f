from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from delivery import dispatch, vitals
from delivery.accounts import settings_of
from delivery.models import ProviderAccount
from delivery.tests.factories import create_deliveries, create_smtp, create_twilio
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.pages import assert_bounded, confirm, post, queries, see, staff

pytestmark = pytest.mark.django_db
ACCOUNTS = "/admin/delivery/provideraccount/"
NEW_TWILIO = f"{ACCOUNTS}add/?provider=sms:twilio"
SECRET = "a-secret-token"


def form(tenant: Tenant, **over: str) -> dict[str, str]:
    columns = {
        "tenant": str(tenant.pk),
        "name": "main",
        "priority": "10",
        "weight": "100",
        "is_enabled": "on",
    }
    settings = {"setting_account_sid": "AC" + "1" * 32, "setting_auth_token": SECRET}
    return {**columns, **settings, "setting_sender": "+15005550006", **over}


def change(account: ProviderAccount) -> str:
    return f"{ACCOUNTS}{account.pk}/change/"


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = answer.context["adminform"].form.errors
    return found


def kept(account: ProviderAccount) -> Any:
    return settings_of(ProviderAccount.objects.get(pk=account.pk))


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant, setting_base_url="http://127.0.0.1:1"))
    account = ProviderAccount.objects.get()
    assert (account.channel, account.provider, account.tenant) == ("sms", "twilio", tenant)
    settings = kept(account)
    assert settings.auth_token.get_secret_value() == SECRET
    assert settings.base_url == "http://127.0.0.1:1"
    assert SECRET not in str(account.settings)


def test_it_asks_for_the_provider_first(admin_client: Client) -> None:
    page = see(admin_client, f"{ACCOUNTS}add/")
    assert "?provider=sms:twilio" in page
    assert "?provider=email:smtp" in page
    assert "in_app" not in page


@pytest.mark.parametrize("named", ["sms:nobody", "twilio", "in_app:feed"])
def test_it_asks_again_for_a_provider_that_is_none(admin_client: Client, named: str) -> None:
    assert "?provider=sms:twilio" in see(admin_client, f"{ACCOUNTS}add/?provider={named}")


def test_it_makes_the_form_from_the_settings(admin_client: Client) -> None:
    fields = admin_client.get(f"{ACCOUNTS}add/?provider=email:smtp").context["adminform"].form.fields
    assert fields["setting_host"].required
    assert fields["setting_port"].initial == 587
    assert fields["setting_port"].widget.attrs["min"] == 1
    assert fields["setting_password"].widget.input_type == "password"
    assert [value for value, _ in fields["setting_security"].choices] == ["starttls", "tls", "none"]
    assert "&lt;hello@shop.example&gt;" in fields["setting_sender"].help_text


@pytest.mark.parametrize(
    ("field", "value"),
    [("setting_account_sid", "not a sid"), ("setting_account_sid", ""), ("setting_auth_token", "")],
)
def test_it_puts_errors_on_the_field(admin_client: Client, tenant: Tenant, field: str, value: str) -> None:
    answer = admin_client.post(NEW_TWILIO, form(tenant, **{field: value}))
    assert field in errors(answer)
    assert not ProviderAccount.objects.exists()


def test_it_refuses_a_name_that_is_taken(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant))
    assert "already exists" in post(admin_client, NEW_TWILIO, form(tenant))
    assert ProviderAccount.objects.count() == 1


def test_it_never_shows_a_secret(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant))
    account = ProviderAccount.objects.get()
    post(admin_client, change(account), form(tenant, setting_auth_token="another-token", name="renamed"))
    for path in (change(account), f"{ACCOUNTS}{account.pk}/history/", ACCOUNTS):
        page = see(admin_client, path)
        assert SECRET not in page
        assert "another-token" not in page
    log = str(list(LogEntry.objects.values()))
    assert "Auth token" in log
    assert SECRET not in log
    assert "another-token" not in log


def test_it_never_shows_a_secret_of_a_form_with_errors(admin_client: Client, tenant: Tenant) -> None:
    answer = admin_client.post(NEW_TWILIO, form(tenant, name=""))
    assert errors(answer)
    assert SECRET not in answer.content.decode()


def test_it_keeps_a_secret_that_is_left_empty(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant))
    account = ProviderAccount.objects.get()
    assert "kept; type to replace it" in see(admin_client, change(account))
    post(admin_client, change(account), form(tenant, setting_auth_token="", setting_sender="+15005550001"))
    assert kept(account).auth_token.get_secret_value() == SECRET
    assert kept(account).sender == "+15005550001"


def test_it_forgets_an_optional_secret(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    smtp = {
        "setting_host": "h",
        "setting_port": "25",
        "setting_security": "none",
        "setting_sender": "a@b.example",
    }
    post(admin_client, f"{ACCOUNTS}add/?provider=email:smtp", form(tenant, **smtp, setting_password=SECRET))
    account = ProviderAccount.objects.get()
    assert kept(account).password.get_secret_value() == SECRET
    post(admin_client, change(account), form(tenant, **smtp, forget_password="on"))
    assert kept(account).password is None


def test_it_opens_an_account_whose_secrets_do_not(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant))
    ProviderAccount.objects.update(secrets_key_id="gone")
    account = ProviderAccount.objects.get()
    assert "kept; type" not in see(admin_client, change(account))
    assert errors(admin_client.post(change(account), form(tenant, setting_auth_token="")))
    post(admin_client, change(account), form(tenant))
    assert kept(account).auth_token.get_secret_value() == SECRET


def test_it_opens_an_account_whose_provider_is_gone(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, NEW_TWILIO, form(tenant))
    ProviderAccount.objects.update(provider="gone")
    account = ProviderAccount.objects.get()
    assert "gone (not installed)" in see(admin_client, ACCOUNTS)
    post(admin_client, change(account), form(tenant, name="renamed"))
    account.refresh_from_db()
    assert account.name == "renamed"


def test_it_tests_the_connection(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    confirm(admin_client, f"{ACCOUNTS}{account.pk}/check_connection/")
    assert f"{account.name} answered: connected in" in see(admin_client, change(account))


def test_it_tells_why_there_is_no_connection(
    admin_client: Client, tenant: Tenant, sandbox: RunningSandbox
) -> None:
    account = create_smtp(tenant, sandbox)
    account.settings["port"] = 9
    account.save()
    confirm(admin_client, f"{ACCOUNTS}{account.pk}/check_connection/")
    assert "(transient error)" in see(admin_client, change(account))


@pytest.mark.django_db(transaction=True)
def test_it_saves_and_tests(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    button = {"delivery_provideraccount_save_and_check": "1", "setting_base_url": sandbox.http_url}
    answer = admin_client.post(change(account), form(tenant, **button))
    assert answer.headers["Location"] == change(account)
    assert "main answered: connected in" in see(admin_client, change(account))


def test_it_shows_how_the_account_is_now(
    admin_client: Client, tenant: Tenant, sandbox: RunningSandbox
) -> None:
    account = create_twilio(tenant, sandbox, health=0.0, health_reason="503: try later")
    page = see(admin_client, change(account))
    assert "resting" in page
    assert "503: try later" in page
    assert "0 % resting" in see(admin_client, ACCOUNTS)
    account.health_at = timezone.now() - dt.timedelta(minutes=1)
    account.save()
    assert "20 % — recovering" in see(admin_client, change(account))


def test_it_lets_only_those_test_who_may_change(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    viewer = staff("delivery.view_provideraccount")
    assert "/check_connection/" not in see(viewer, change(account))
    path = f"{ACCOUNTS}{account.pk}/check_connection/"
    assert viewer.post(path, {"_form_submitted": "on"}).status_code == 403
    assert viewer.get(f"{ACCOUNTS}add/").status_code == 403


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    assert_bounded(admin_client, ACCOUNTS, lambda: create_twilio(tenant, sandbox))
    assert not [sql for sql in queries(admin_client, ACCOUNTS) if "OFFSET" in sql]


def steered(account: ProviderAccount) -> tuple[str, str, str]:
    account.refresh_from_db()
    return account.steering, account.steering_reason, account.steered_by


def press(client: Client, account: ProviderAccount, button: str, **said: str) -> Any:
    path = f"{ACCOUNTS}{account.pk}/{button}/"
    return client.post(path, {"_form_submitted": "on", **said})


@pytest.mark.parametrize(
    ("button", "steering", "word"), [("pin", "pin", "pinned"), ("drain", "drain", "drained")]
)
def test_an_operator_takes_it_in_hand(
    admin_client: Client, tenant: Tenant, sandbox: RunningSandbox, button: str, steering: str, word: str
) -> None:
    account = create_twilio(tenant, sandbox)
    assert press(admin_client, account, button, reason="they have an outage").headers["HX-Redirect"]
    assert steered(account) == (steering, "they have an outage", "admin")
    page = see(admin_client, change(account))
    assert "they have an outage" in page
    assert "by admin" in page
    assert word in see(admin_client, ACCOUNTS)
    assert LogEntry.objects.filter(object_id=str(account.pk)).exists()


def test_it_asks_why(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    assert "HX-Redirect" not in press(admin_client, account, "drain").headers
    assert steered(account) == ("", "", "")


def test_it_is_let_go(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox, steering="drain")
    assert press(admin_client, account, "let_go").headers["HX-Redirect"]
    assert steered(account) == ("", "", "admin")
    assert "Let go by admin" in see(admin_client, change(account))


def test_who_may_only_look_steers_nothing(tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    client = staff("delivery.view_provideraccount")
    assert press(client, account, "pin", reason="because").status_code == 403
    assert steered(account) == ("", "", "")


def test_it_shows_the_last_hour(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    assert "no calls" in see(admin_client, ACCOUNTS)
    dispatch.run(tenant.pk, create_deliveries(tenant, 3))
    vitals.hand_over()
    assert "0.0% of 3 failed" in see(admin_client, ACCOUNTS)
    assert "0.0% of 3 calls failed" in see(admin_client, change(account))
