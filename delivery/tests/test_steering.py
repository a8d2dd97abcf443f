"""Which account a delivery leaves by when the tenant or an operator has said so."""

from __future__ import annotations

import pytest

from delivery import dispatch
from delivery.models import ProviderAccount, Steering
from delivery.tests.factories import attempts, create_delivery, create_twilio, look, make_due
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(tenant: Tenant, sandbox: RunningSandbox) -> list[ProviderAccount]:
    return [
        create_twilio(tenant, sandbox, name=name, priority=n) for n, name in enumerate(("main", "backup"))
    ]


def sent_by(tenant: Tenant) -> tuple[str, str]:
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    (attempt,) = attempts(id)
    return attempt.account_name, attempt.chosen_because


def steer(account: ProviderAccount, steering: str) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(steering=steering)


def test_it_works(tenant: Tenant, pair: list[ProviderAccount]) -> None:
    assert sent_by(tenant) == ("main", "priority 0")


def test_the_tenant_orders_its_accounts(tenant: Tenant, pair: list[ProviderAccount]) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(account_order={"sms": ["gone", "backup"]})
    assert sent_by(tenant) == ("backup", "number 2 in the tenant's order")


def test_a_pinned_account_goes_first(tenant: Tenant, pair: list[ProviderAccount]) -> None:
    steer(pair[1], Steering.PIN)
    assert sent_by(tenant) == ("backup", "pinned, priority 1")


def test_a_drained_account_gets_nothing(tenant: Tenant, pair: list[ProviderAccount]) -> None:
    steer(pair[0], Steering.DRAIN)
    assert sent_by(tenant) == ("backup", "priority 1, 1 drained")


def test_what_has_nowhere_else_to_go_waits(tenant: Tenant, pair: list[ProviderAccount]) -> None:
    for account in pair:
        steer(account, Steering.DRAIN)
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    row = look(id)
    assert (row.status, row.detail, row.attempt) == ("queued", "every account is drained", 0)
    steer(pair[0], "")
    make_due(id)
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
