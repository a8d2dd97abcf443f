import base64
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from config import seeding
from delivery.accounts import keyring, settings_of
from delivery.models import ProviderAccount

pytestmark = pytest.mark.django_db

Keys = Callable[..., None]
OLD = f"old:{base64.b64encode(b'o' * 32).decode()}"
NEW = f"new:{base64.b64encode(b'n' * 32).decode()}"


@pytest.fixture
def keys(settings: Settings) -> Iterator[Keys]:
    """`keys(NEW, OLD)` puts another ring in place. Five accounts are encrypted with OLD."""

    def use(*entries: str) -> None:
        settings.CREDENTIAL_KEYS = list(entries)
        keyring.cache_clear()

    use(OLD)
    list(seeding.seed())
    yield use
    keyring.cache_clear()


def rotate(out: StringIO | None = None) -> str:
    out = out or StringIO()
    call_command("rotate_credentials", stdout=out)
    return out.getvalue()


def token(name: str) -> str:
    opened = settings_of(ProviderAccount.objects.get(name=name))
    value: str = opened.auth_token.get_secret_value()  # type: ignore[attr-defined]
    return value


def sealed() -> int:
    """How many accounts have secrets."""
    return ProviderAccount.objects.exclude(secrets=b"").count()


def test_it_works(keys: Keys) -> None:
    keys(NEW, OLD)
    assert rotate() == f"{sealed()} accounts encrypted anew\n"
    assert rotate() == "0 accounts encrypted anew\n"
    keys(NEW)
    assert token("twilio-main") == "sandbox-twilio-main"


def test_it_names_those_that_do_not_open_and_rotates_the_others(keys: Keys) -> None:
    ProviderAccount.objects.filter(name="twilio-backup").update(secrets=b"x" * 40)
    ProviderAccount.objects.filter(name="test-smtp").update(secrets_key_id="lost")
    keys(NEW, OLD)
    out = StringIO()
    with pytest.raises(CommandError) as refusal:
        rotate(out)
    said = str(refusal.value)
    assert said.startswith("2 left as they were: ")
    assert "tenant demo, account twilio-backup: its secrets do not open with their key" in said
    assert "the installation, account test-smtp: key 'lost' is not in CREDENTIAL_KEYS" in said
    assert "\n" not in said
    assert out.getvalue() == f"{sealed() - 2} accounts encrypted anew\n"
    keys(NEW)
    assert token("twilio-main") == "sandbox-twilio-main"


@pytest.mark.parametrize(
    ("ring", "reason"), [([], "CREDENTIAL_KEYS is not set"), (["new:short"], "key 'new' is not an id")]
)
def test_it_says_what_is_wrong_with_the_keys(keys: Keys, ring: list[str], reason: str) -> None:
    keys(*ring)
    with pytest.raises(CommandError, match=reason):
        rotate()
