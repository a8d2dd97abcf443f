"""Addresses that the vendor says will never work."""

import pytest

from preferences import directory
from preferences.models import Device, Suppression
from preferences.suppressions import among
from preferences.tests.factories import create_recipient
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def test_it_works(tenant: Tenant) -> None:
    directory.retire(tenant.pk, [("sms", "+15005550009", "invalid")])
    assert among(tenant.pk, [("sms", "+15005550009")]) == {("sms", "+15005550009"): "invalid"}


def test_a_device_is_forgotten_and_its_token_may_come_back(tenant: Tenant) -> None:
    create_recipient(tenant, devices=("gone", "here"))
    directory.retire(tenant.pk, [("push", "gone", "invalid"), ("push", "never-seen", "invalid")])
    assert list(Device.objects.values_list("token", flat=True)) == ["here"]
    assert not Suppression.objects.exists()
