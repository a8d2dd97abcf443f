import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import override_settings

from config import sandboxed, seeding
from delivery.accounts import settings_of
from delivery.models import ProviderAccount
from preferences.models import Category, Recipient
from templates_app.models import Template
from tenants.authentication import authenticate_key
from tenants.models import ApiKey, Tenant
from tenants.tests.factories import create_api_key, create_tenant

pytestmark = pytest.mark.django_db


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed", *arguments, stdout=out)
    return out.getvalue()


def steps() -> dict[str, str]:
    return {f"{step.what} {step.name}": step.done for step in seeding.seed()}


def test_it_works() -> None:
    said = seed("database")

    demo = Tenant.objects.get(slug="demo")
    names = ProviderAccount.objects.filter(tenant=demo).order_by("priority").values_list("name", flat=True)
    assert set(names) == {account.name for account in seeding.DEMO_ACCOUNTS}
    assert Recipient.objects.filter(tenant=demo, external_id="ann", email="ann@demo.example").exists()
    assert Category.objects.filter(tenant=demo).count() == 4
    assert Template.objects.filter(tenant=demo, published__isnull=False).count() >= 11
    assert "created" in said


def test_it_may_run_again() -> None:
    seed("database")

    again = steps()

    assert set(again.values()) == {"there already", "skipped"}
    assert Tenant.objects.count() == 1
    assert ApiKey.objects.count() == 1


def test_it_prints_a_key_that_works_and_only_once() -> None:
    (secret,) = re.findall(r"ck_live_\S{40}", seed("database"))

    assert authenticate_key(secret).tenant.slug == "demo"
    assert secret not in seed("database")


@override_settings(SANDBOX_SMTP_PORT=2025, SANDBOX_URL="http://sandbox.internal:9025")
def test_it_points_the_accounts_at_the_sandbox() -> None:
    seed("database")

    smtp = settings_of(ProviderAccount.objects.get(name="sandbox-smtp"))
    twilio = settings_of(ProviderAccount.objects.get(name="twilio-main"))

    assert (smtp.host, smtp.port, smtp.username) == ("sandbox.internal", 2025, "sandbox-smtp")  # type: ignore[attr-defined]
    assert twilio.base_url == "http://sandbox.internal:9025"  # type: ignore[attr-defined]


def test_it_follows_a_sandbox_that_moved() -> None:
    seed("database")

    with override_settings(SANDBOX_SMTP_PORT=2025):
        moved = steps()

    assert {name for name, done in moved.items() if done == "updated"} == {
        "account sandbox-smtp",
        "account test-smtp",
    }


def test_it_gives_each_twilio_account_its_own_sid() -> None:
    sids = {sandboxed.account_sid(name) for name in ("twilio-main", "twilio-backup", "test-twilio")}

    assert len(sids) == 3
    assert all(re.fullmatch(r"AC[0-9a-zA-Z]{32}", sid) for sid in sids)


def test_it_keeps_accounts_for_test_keys_to_the_installation() -> None:
    seed("database")

    accounts = ProviderAccount.objects.filter(is_sandbox=True)
    expected = {(None, channel) for channel in ("email", "sms", "push", "slack")}
    assert {(account.tenant, account.channel) for account in accounts} == expected


def test_it_makes_no_superuser_outside_a_demo() -> None:
    assert "DEMO is off" in seed("database")
    assert not User.objects.exists()


@override_settings(DEMO=True)
def test_it_makes_a_superuser_in_a_demo_and_says_so_loudly() -> None:
    assert "ANYBODY CAN LOG IN" in seed("database")
    assert User.objects.get(username="admin").check_password("admin")
    assert "ANYBODY CAN LOG IN" not in seed("database")


def test_it_says_that_keycloak_is_not_part_of_it() -> None:
    assert "not part of this version" in seed("keycloak")
    assert "not part of this version" in seed()
    assert not User.objects.exists()


def test_it_shows_what_is_there() -> None:
    assert re.search(r"tenant\s+missing", seed("status"))
    seed("database")
    assert re.search(r"account twilio-backup\s+sms by twilio, health 1", seed("status"))


def test_it_resets_only_when_told_twice_and_only_the_demo() -> None:
    other = create_tenant()
    create_api_key(other)
    seed("database")

    with pytest.raises(CommandError, match="--yes"):
        seed("reset")
    seed("reset", "--yes")

    demo = Tenant.objects.get(slug="demo")
    assert not Recipient.objects.filter(tenant=demo).exists()
    assert not ProviderAccount.objects.filter(tenant=demo).exists()
    assert not Template.objects.filter(tenant=demo, archived_at=None).exists()
    assert ApiKey.objects.get().tenant == other
    assert "created" in steps().values()


def test_it_resets_nothing_where_nothing_is() -> None:
    assert "not there" in seed("reset", "--yes")
