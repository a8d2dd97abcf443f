from io import StringIO

import pytest
from django.core.management import call_command
from django.test import override_settings

from config.diagnosis import findings
from config.tests.test_checks import SAFE
from delivery.accounts import keyring, set_settings
from delivery.models import ProviderAccount
from tenants.tests.factories import create_tenant
from tenants.tests.outages import database_away, nowhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _well_configured() -> object:
    with override_settings(**SAFE):
        yield


def doctor() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def errors() -> dict[str, str]:
    found = {finding.what: finding for finding in findings() if finding.verdict == "error"}
    assert all(finding.remedy for finding in found.values())
    return {what: finding.detail for what, finding in found.items() if what != "beat"}


def test_it_works(beat: None) -> None:
    code, said = doctor()

    assert code == 0
    assert "0 errors" in said


def test_it_exits_with_1_on_errors() -> None:
    code, said = doctor()

    assert code == 1
    assert "never ticked" in said
    assert "manage.py up" in said


def test_it_lives_through_what_a_start_would_not() -> None:
    with override_settings(CREDENTIAL_KEYS=["rubbish"]):
        assert errors() == {"settings": "CREDENTIAL_KEYS: entry 1 has no id before a colon."}


def test_it_says_which_engine_is_away() -> None:
    with override_settings(REDIS_URL=nowhere()):
        assert errors() == {"live_feed": "away (ConnectionError)"}
    with database_away():
        assert "database" in errors()


def test_it_misses_tenants_and_accounts() -> None:
    assert {"tenants", "provider accounts"} <= {f.what for f in findings() if f.verdict == "warning"}


@pytest.mark.parametrize(
    ("over", "detail"),
    [
        ({"provider": "pigeon"}, "no provider 'pigeon' for sms"),
        ({}, "account main: account_sid, auth_token, sender"),
    ],
)
def test_it_finds_accounts_that_cannot_work(over: dict[str, str], detail: str) -> None:
    tenant = create_tenant()
    fields = {"name": "main", "channel": "sms", "provider": "twilio", **over}
    ProviderAccount.objects.create(tenant=tenant, **fields)

    (found,) = errors().items()

    assert found[0] == f"account main of {tenant.slug}"
    assert found[1].startswith(detail)


@pytest.mark.parametrize(
    ("keys", "detail"),
    [
        ([], "CREDENTIAL_KEYS is not set. See .env.example."),
        ([f"k9:{'A' * 43}="], "account main: key 'k1' is not in CREDENTIAL_KEYS"),
    ],
)
def test_it_says_which_key_is_missing(keys: list[str], detail: str) -> None:
    account = ProviderAccount(tenant=create_tenant(), name="main", channel="sms", provider="twilio")
    set_settings(account, {"account_sid": "AC" + "0" * 32, "auth_token": "secret", "sender": "+15005550006"})
    account.save()
    keyring.cache_clear()
    with override_settings(CREDENTIAL_KEYS=keys):
        (found,) = (finding for finding in findings() if finding.what.startswith("account"))
    keyring.cache_clear()
    assert (found.verdict, found.detail) == ("error", detail)
    assert "Or put the key k1 back into CREDENTIAL_KEYS, last." in found.remedy
