from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from delivery.accounts import Accounts, keyring, rotate_credentials, set_settings, settings_of
from delivery.models import ProviderAccount
from delivery.providers.base import ProviderMisconfigured
from delivery.tests.factories import create_account, twilio_settings
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

Keys = Callable[..., None]
SECRET = "twilio-token"
OLD, NEW = (f"{id}:{base64.b64encode(id[:1].encode() * 32).decode()}" for id in ("old", "new"))


@pytest.fixture
def keys(settings: Settings) -> Iterator[Keys]:
    """`keys(NEW, OLD)` puts another ring in place."""

    def use(*entries: str) -> None:
        settings.CREDENTIAL_KEYS = list(entries)
        keyring.cache_clear()

    yield use
    keyring.cache_clear()


def create(tenant: Tenant | None = None, **over: Any) -> ProviderAccount:
    return create_account(tenant, "sms", "twilio", twilio_settings("http://127.0.0.1:1"), **over)


def token(account: ProviderAccount) -> str:
    opened: Any = settings_of(ProviderAccount.objects.get(pk=account.pk))
    value: str = opened.auth_token.get_secret_value()
    return value


def test_it_works() -> None:
    assert token(create()) == SECRET


def test_it_keeps_no_secret_in_the_row() -> None:
    account = create()
    with connection.cursor() as cursor:
        cursor.execute("SELECT a::text, secrets FROM delivery_provideraccount a WHERE id = %s", [account.pk])
        text, sealed = cursor.fetchone()
    assert SECRET not in text
    assert SECRET.encode().hex() not in text
    assert SECRET.encode() not in bytes(sealed)
    assert "auth_token" not in account.settings


def test_it_encrypts_the_same_secret_differently_each_time() -> None:
    assert create().secrets != create().secrets


def test_it_binds_secrets_to_their_row() -> None:
    one, other = create(), create()
    ProviderAccount.objects.filter(pk=other.pk).update(secrets=one.secrets)
    with pytest.raises(ProviderMisconfigured, match="do not open with their key"):
        token(other)


@pytest.mark.parametrize("sealed", [b"x", b"x" * 12, b"x" * 200])
def test_it_refuses_secrets_that_are_none(sealed: bytes) -> None:
    account = create()
    ProviderAccount.objects.filter(pk=account.pk).update(secrets=sealed)
    with pytest.raises(ProviderMisconfigured, match="do not open"):
        token(account)


def test_it_says_which_key_is_missing(keys: Keys) -> None:
    keys(OLD)
    account = create()
    keys(NEW)
    with pytest.raises(ProviderMisconfigured, match=f"{account.name}: key 'old' is not in CREDENTIAL_KEYS"):
        token(account)


def test_it_refuses_another_key_of_the_same_name(keys: Keys) -> None:
    keys(OLD)
    account = create()
    keys(NEW.replace("new:", "old:"))
    with pytest.raises(ProviderMisconfigured, match="do not open"):
        token(account)


@pytest.mark.parametrize(
    "entry",
    [
        "k1:not base64!",
        "k1",
        "k1:",
        f"k1:{base64.b64encode(b'k' * 16).decode()}",
        f":{OLD.partition(':')[2]}",
    ],
)
def test_it_takes_only_keys_of_32_bytes_with_an_id(keys: Keys, entry: str) -> None:
    keys(entry)
    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEYS"):
        keyring()


def test_it_needs_a_key(keys: Keys) -> None:
    keys()
    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEYS is not set"):
        create()


def test_it_rotates(keys: Keys) -> None:
    keys(OLD)
    account = create()
    keys(NEW, OLD)
    assert rotate_credentials() == (1, [])
    assert rotate_credentials() == (0, [])
    keys(NEW)
    assert token(account) == SECRET


def test_it_rotates_the_others_when_one_does_not_open(keys: Keys, tenant: Tenant) -> None:
    keys(OLD)
    broken, whole, broken_too = create(), create(), create(tenant)
    ProviderAccount.objects.filter(pk__in=[broken.pk, broken_too.pk]).update(secrets=b"x" * 40)
    keys(NEW, OLD)
    rotated, refused = rotate_credentials()
    assert rotated == 1
    assert set(refused) == {
        f"the installation, account {broken.name}: its secrets do not open with their key",
        f"tenant {tenant.slug}, account {broken_too.name}: its secrets do not open with their key",
    }
    keys(NEW)
    assert token(whole) == SECRET


def test_it_keeps_a_secret_that_is_left_out() -> None:
    account = create()
    set_settings(account, {**account.settings, "sender": "+15005550010"})
    account.save()
    assert token(account) == SECRET
    assert account.settings["sender"] == "+15005550010"


def test_it_replaces_a_secret_whose_key_is_lost(keys: Keys) -> None:
    keys(OLD)
    account = create()
    keys(NEW)
    set_settings(account, {**account.settings, "auth_token": "another"})
    account.save()
    assert token(account) == "another"


@pytest.mark.parametrize(
    "wrong", [{"account_sid": "none"}, {"auth_token": ""}, {"base_url": "file:///etc"}, {"colour": "red"}]
)
def test_it_refuses_settings_that_the_provider_does_not_take(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        set_settings(
            ProviderAccount(channel="sms", provider="twilio"), {**twilio_settings("http://x"), **wrong}
        )


def test_it_says_which_stored_setting_is_wrong_and_not_what_it_is() -> None:
    account = create()
    account.settings["account_sid"] = "private-words"
    with pytest.raises(ProviderMisconfigured, match="account_sid") as refusal:
        settings_of(account)
    assert "private-words" not in str(refusal.value)


def names(tenant: Tenant, *, is_test: bool = False) -> set[str]:
    accounts = Accounts.of(tenant.pk, {"sms", "in_app"})
    return {account.name for account in accounts.candidates("sms", "+4917012345678", is_test=is_test)}


def test_a_tenant_without_accounts_uses_the_installations(tenant: Tenant) -> None:
    shared = create()
    assert names(tenant) == {shared.name}


def test_a_tenant_with_accounts_uses_those_only(tenant: Tenant) -> None:
    create()
    own, second = create(tenant), create(tenant)
    assert names(tenant) == {own.name, second.name}


def test_a_tenant_never_uses_anothers(tenant: Tenant) -> None:
    create(create_tenant())
    assert names(tenant) == set()


def test_test_keys_use_sandbox_accounts_and_nothing_else(tenant: Tenant) -> None:
    live, sandbox = create(tenant), create(tenant, is_sandbox=True)
    assert names(tenant) == {live.name}
    assert names(tenant, is_test=True) == {sandbox.name}


def test_a_tenants_sandbox_does_not_stand_in_for_the_installations_live_account(tenant: Tenant) -> None:
    live = create()
    create(tenant, is_sandbox=True)
    assert names(tenant) == {live.name}


def test_a_disabled_account_is_not_used(tenant: Tenant) -> None:
    create(tenant, is_enabled=False)
    assert names(tenant) == set()


def test_the_feed_needs_no_account(tenant: Tenant) -> None:
    feed = Accounts.of(tenant.pk, {"in_app"}).candidates("in_app", "", is_test=True)
    assert [(account.name, account.id) for account in feed] == [("feed", None)]
