from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from preferences.models import Suppression
from preferences.suppressions import among, suppress, unsuppress
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ANN = ("email", "ann@example.com")


def test_it_works() -> None:
    tenant = create_tenant()
    suppress(tenant.pk, [(*ANN, "bounced"), ("sms", "+15005550006", "unsubscribed")])
    assert among(tenant.pk, [ANN, ("email", "bob@example.com"), ("whatsapp", "+15005550006")]) == {
        ANN: "bounced"
    }
    assert among(tenant.pk, []) == {}


def test_it_lets_the_first_reason_stand() -> None:
    tenant = create_tenant()
    suppress(tenant.pk, [(*ANN, "complained"), ("email", "ANN@example.com", "bounced")])
    suppress(tenant.pk, [(*ANN, "manual")])
    assert among(tenant.pk, [ANN]) == {ANN: "complained"}
    assert Suppression.objects.count() == 1


def test_it_lifts() -> None:
    tenant, other = create_tenant(), create_tenant()
    for each in (tenant, other):
        suppress(each.pk, [(*ANN, "bounced"), ("sms", "+15005550006", "unsubscribed")])
    assert unsuppress(tenant.pk, [("email", "Ann@Example.com"), ("push", "nothing")]) == 1
    assert among(tenant.pk, [ANN, ("sms", "+15005550006")]) == {("sms", "+15005550006"): "unsubscribed"}
    assert among(other.pk, [ANN]) == {ANN: "bounced"}


def test_it_holds_the_longest_address_there_is() -> None:
    tenant = create_tenant()
    address = "".join(chr(33 + (n * n + n // 7) % 90) for n in range(2048))
    suppress(tenant.pk, [("push", address, "invalid")])
    assert among(tenant.pk, [("push", address)]) == {("push", address): "invalid"}


@pytest.mark.django_db(transaction=True)
def test_it_is_safe_side_by_side() -> None:
    tenant = create_tenant()

    def work(thread: int) -> None:
        numbers = range(100) if thread % 2 else reversed(range(100))
        try:
            suppress(tenant.pk, [("sms", f"+1500555{n:04}", "invalid") for n in numbers])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert Suppression.objects.count() == 100
