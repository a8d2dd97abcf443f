import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tenants.authentication import authenticate_key
from tenants.models import SCOPES, ApiKey
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    """What was printed."""
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_it_works() -> None:
    tenant = create_tenant()

    secret = create(tenant.slug).splitlines()[-1]

    service = authenticate_key(secret)
    assert service.tenant == tenant
    assert set(service.key.scopes) == set(SCOPES)
    assert not service.is_test


def test_it_prints_nothing_else_so_that_a_script_can_keep_it() -> None:
    assert create(create_tenant().slug).count("\n") == 1


def test_it_grants_only_the_scopes_that_are_named() -> None:
    create(create_tenant().slug, "--scopes", "notifications:send, recipients:read")

    assert ApiKey.objects.get().scopes == ["notifications:send", "recipients:read"]


def test_it_makes_test_keys() -> None:
    secret = create(create_tenant().slug, "--test").strip()

    assert secret.startswith("ck_test_")
    assert authenticate_key(secret).is_test


def test_it_lets_a_key_expire() -> None:
    create(create_tenant().slug, "--expires-in-days", "30", "--name", "nightly job")

    key = ApiKey.objects.get()
    assert key.name == "nightly job"
    assert key.expires_at is not None
    assert abs(key.expires_at - timezone.now() - dt.timedelta(days=30)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--scopes", "everything"], "Unknown scopes: everything"),
        (["--expires-in-days", "0"], "between 1 and"),
        (["--expires-in-days", "999999"], "between 1 and"),
    ],
)
def test_it_refuses_what_makes_no_sense(arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        create(create_tenant().slug, *arguments)

    assert not ApiKey.objects.exists()


def test_it_knows_no_such_tenant() -> None:
    with pytest.raises(CommandError, match="create_tenant nowhere"):
        create("nowhere")
