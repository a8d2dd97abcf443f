"""To leave a category by a link, and to come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.utils import timezone

from preferences import switches
from preferences.categories import create_default_categories
from preferences.directory import resolve
from preferences.links import Link
from preferences.models import Category, Preference, Recipient
from preferences.rules import CategoryRule
from preferences.subscription import come_back, is_optional, leave, look
from preferences.suppressions import among, suppress
from preferences.tests.factories import create_recipient
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

EMAIL = ("email", "ann@example.com")
MARKETING = ("marketing", "email")


@pytest.fixture
def ann() -> Recipient:
    tenant = create_tenant()
    create_default_categories(tenant)
    return create_recipient(tenant, external_id="ann", email="ann@example.com")


def link_of(recipient: Recipient, *, stored: bool = True) -> Link:
    return Link(
        tenant_id=recipient.tenant_id,
        recipient_id=recipient.pk if stored else None,
        until=timezone.now(),
        channel="email",
        category="marketing",
        address="ann@example.com",
    )


def suppressed(tenant: Tenant) -> dict[tuple[str, str], str]:
    with tenant_scope(tenant.pk):
        return among(tenant.pk, [EMAIL])


@pytest.mark.parametrize(
    ("is_critical", "is_transactional", "expected"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_who_has_to_offer_a_way_out(is_critical: bool, is_transactional: bool, expected: bool) -> None:
    assert is_optional(CategoryRule("news", is_critical, "resend", is_transactional)) is expected


def test_it_works(ann: Recipient) -> None:
    link = link_of(ann)
    before = look(link)
    assert (before.category, before.channel, before.address) == ("Marketing", "email", "a•••@example.com")
    assert (before.is_stored, before.is_on) == (True, True)
    for _ in range(2):
        leave(link)
        assert not look(link).is_on
    assert resolve(ann.tenant, [("user", "ann")])["user", "ann"].categories == {MARKETING: False}
    assert suppressed(ann.tenant) == {}, "other mails go on"


def test_who_comes_back_is_where_they_were(ann: Recipient) -> None:
    link = link_of(ann)
    leave(link)
    for _ in range(2):
        come_back(link)
        assert look(link).is_on
    assert not Preference.objects.exists(), "and the channel's own switch counts again"


def test_who_comes_back_gets_it_though_the_channel_is_off(ann: Recipient) -> None:
    switches.change(ann, {("", "email"): False, MARKETING: True})
    link = link_of(ann)
    assert look(link).is_on
    leave(link)
    come_back(link)
    assert look(link).is_on


def test_a_channel_that_is_off_has_left_already(ann: Recipient) -> None:
    switches.set_channel(ann, "email", enabled=False)
    assert not look(link_of(ann)).is_on


def test_a_strangers_address_is_suppressed(ann: Recipient) -> None:
    link = link_of(ann, stored=False)
    assert (look(link).is_stored, look(link).is_on) == (False, True)
    for _ in range(2):
        leave(link)
    assert not look(link).is_on
    assert suppressed(ann.tenant) == {EMAIL: "unsubscribed"}
    come_back(link)
    assert look(link).is_on


def test_who_is_not_stored_any_more_is_a_stranger(ann: Recipient) -> None:
    link = link_of(ann)
    ann.delete()
    leave(link)
    assert suppressed(ann.tenant) == {EMAIL: "unsubscribed"}


def test_nobody_lifts_by_a_link_what_others_decided(ann: Recipient) -> None:
    suppress(ann.tenant_id, [(*EMAIL, "complained")])
    link = link_of(ann, stored=False)
    leave(link)
    come_back(link)
    assert suppressed(ann.tenant) == {EMAIL: "complained"}


def test_a_link_about_nothing_does_nothing(ann: Recipient) -> None:
    link = Link(ann.tenant_id, None, timezone.now(), "push", "marketing")
    leave(link)
    come_back(link)
    assert not Preference.objects.exists()


def test_a_category_that_is_gone_is_called_by_its_code(ann: Recipient) -> None:
    assert look(Link(ann.tenant_id, ann.pk, timezone.now(), "email", "gone")).category == "gone"


@pytest.mark.django_db(transaction=True)
def test_many_clicks_at_once_are_one(ann: Recipient) -> None:
    link, barrier = link_of(ann), Barrier(6)

    def click() -> None:
        try:
            barrier.wait(5)
            leave(link)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(click) for _ in range(6)]:
            done.result()
    assert Preference.objects.count() == 1
    assert not look(link).is_on


def test_what_was_switched_on_for_a_template_alone_is_left_too(ann: Recipient) -> None:
    said = switches.Switches(templates={"sale": {"email": True, "sms": True}, "order": {"email": True}})
    switches.replace(ann, said)
    leave(link_of(ann), templates=["sale"])
    kept = switches.stored(ann)
    assert kept.templates == {"sale": {"sms": True}, "order": {"email": True}}
    assert kept.categories == {"marketing": {"email": False}}


def test_a_category_that_is_off_until_somebody_asks_is_asked_for(ann: Recipient) -> None:
    Category.objects.filter(code="marketing").update(defaults={"email": False})
    link = link_of(ann)
    assert not look(link).is_on
    come_back(link)
    assert look(link).is_on
    assert switches.stored(ann).categories == {"marketing": {"email": True}}
