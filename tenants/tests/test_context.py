from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction

from tenants.context import current_tenant_id, installation_scope, tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.factories import create_tenant


def database_tenant() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.tenant_id', true)")
        (value,) = cursor.fetchone()
    return value or None


@pytest.mark.django_db(transaction=True)
def test_it_works() -> None:
    tenant = new_id()

    with tenant_scope(tenant):
        assert current_tenant_id() == tenant
        assert database_tenant() == str(tenant)

    assert current_tenant_id() is None
    assert database_tenant() is None


@pytest.mark.django_db(transaction=True)
def test_it_joins_a_scope_of_the_same_tenant() -> None:
    tenant = new_id()

    with tenant_scope(tenant):
        with tenant_scope(tenant):
            assert database_tenant() == str(tenant)
        assert current_tenant_id() == tenant
        assert database_tenant() == str(tenant)


@pytest.mark.django_db(transaction=True)
def test_it_refuses_a_scope_of_another_tenant() -> None:
    tenant = new_id()

    with tenant_scope(tenant), pytest.raises(RuntimeError, match="another tenant"), tenant_scope(new_id()):
        pytest.fail("the scope was opened")

    assert current_tenant_id() is None


@pytest.mark.django_db(transaction=True)
def test_it_is_one_transaction() -> None:
    with suppress(ZeroDivisionError), tenant_scope(new_id()):
        create_tenant(slug="gone")
        raise ZeroDivisionError

    assert not Tenant.objects.filter(slug="gone").exists()
    assert current_tenant_id() is None
    assert database_tenant() is None


@pytest.mark.django_db(transaction=True)
def test_it_opens_the_whole_installation_for_the_sweepers() -> None:
    with installation_scope():
        assert database_tenant() == "*"
        assert transaction.get_connection().in_atomic_block

    assert database_tenant() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", [lambda: tenant_scope(new_id()), installation_scope])
def test_it_does_not_hold_its_rows_for_ever_when_it_hangs(scope: Callable[[], Any]) -> None:
    with scope():
        assert longest_silence() == "10s"
    assert longest_silence() == "0"


def longest_silence() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])
