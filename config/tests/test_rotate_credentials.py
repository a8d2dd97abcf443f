import base64
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import override_settings

from config import seeding
from delivery.accounts import keyring, settings_of
from delivery.models import ProviderAccount

OLD = f"old:{base64.b64encode(b'o' * 32).decode()}"
NEW = f"new:{base64.b64encode(b'n' * 32).decode()}"


def rotate() -> str:
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_it_works() -> None:
    keyring.cache_clear()
    with override_settings(CREDENTIAL_KEYS=[OLD]):
        list(seeding.seed())
    keyring.cache_clear()
    with override_settings(CREDENTIAL_KEYS=[NEW, OLD]):
        assert rotate() == "5 accounts encrypted anew\n"
        assert rotate() == "0 accounts encrypted anew\n"
    keyring.cache_clear()
    with override_settings(CREDENTIAL_KEYS=[NEW]):
        account = ProviderAccount.objects.get(name="twilio-main")
        assert settings_of(account).auth_token.get_secret_value() == "sandbox-twilio-main"  # type: ignore[attr-defined]
    keyring.cache_clear()
