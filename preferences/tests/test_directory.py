import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from preferences.addresses import RecipientFields
from preferences.directory import Key, merge, once, once_many, resolve, suppress
from preferences.models import Device, Preference, Recipient
from preferences.rules import Person
from preferences.tests.factories import create_recipient
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ANN: Key = ("user", "ann")


def person(tenant: Tenant, key: Key = ANN) -> Person:
    return resolve(tenant, [key])[key]


def said(**of_them: Any) -> RecipientFields:
    return RecipientFields(**of_them)


def switch(recipient: Recipient, channel: str, *, enabled: bool, category: str = "") -> None:
    level = Preference.Level.CATEGORY if category else Preference.Level.CHANNEL
    Preference.objects.create(
        tenant_id=recipient.tenant_id,
        recipient=recipient,
        level=level,
        key=category,
        channel=channel,
        enabled=enabled,
    )


def test_it_works() -> None:
    tenant = create_tenant(locale="de", timezone="Europe/Berlin")
    ann = create_recipient(tenant, external_id="ann", devices=["phone", "tablet"], slack="C1")
    switch(ann, "sms", enabled=False)
    switch(ann, "email", enabled=True, category="marketing")
    suppress(tenant.pk, [("push", "tablet", "invalid")])

    assert person(tenant) == Person(
        id=ann.pk,
        external_id="ann",
        type="user",
        addresses={
            "in_app": (str(ann.pk),),
            "email": ("ann@example.com",),
            "sms": ("+15005550006",),
            "whatsapp": ("+15005550006",),
            "slack": ("C1",),
            "push": ("phone", "tablet"),
        },
        locale="de",
        timezone="Europe/Berlin",
        channels={"sms": False},
        categories={("marketing", "email"): True},
        suppressed={("push", "tablet"): "invalid"},
    )


def test_it_prefers_their_own_locale_and_zone() -> None:
    tenant = create_tenant(locale="de", timezone="Europe/Berlin")
    create_recipient(tenant, external_id="ann", locale="pt-BR", timezone="America/Bahia")
    assert (person(tenant).locale, person(tenant).timezone) == ("pt-BR", "America/Bahia")


def test_it_leaves_out_whom_nobody_knows() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann")
    create_recipient(create_tenant(), external_id="bob")
    assert set(resolve(tenant, [ANN, ANN, ("user", "bob"), ("bot", "ann"), ("user", "")])) == {ANN}
    assert resolve(tenant, []) == {}


def test_it_tells_types_apart() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann", type="driver", email="driver@example.com")
    create_recipient(tenant, external_id="ann")
    assert person(tenant, ("driver", "ann")).addresses["email"] == ("driver@example.com",)
    assert person(tenant).addresses["email"] == ("ann@example.com",)


def test_it_finds_a_suppression_whatever_the_case() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann", email="Ann@example.com")
    suppress(tenant.pk, [("email", "aNN@EXAMPLE.com", "complained")])
    assert person(tenant).suppressed == {("email", "Ann@example.com"): "complained"}


def test_it_keeps_suppressions_to_their_channel_and_tenant() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann", email="")
    suppress(tenant.pk, [("sms", "+15005550006", "unsubscribed")])
    suppress(create_tenant().pk, [("whatsapp", "+15005550006", "unsubscribed")])
    assert person(tenant).suppressed == {("sms", "+15005550006"): "unsubscribed"}


def test_it_asks_the_same_few_questions_whatever_the_number() -> None:
    tenant = create_tenant()
    keys = [("user", create_recipient(tenant, devices=[f"token-{n}"]).external_id) for n in range(20)]
    with CaptureQueriesContext(connection) as few:
        resolve(tenant, keys[:1])
    with CaptureQueriesContext(connection) as many:
        assert len(resolve(tenant, keys)) == 20
    assert len(many) == len(few)
    assert len([query for query in many if "preferences_" in query["sql"]]) == 2


def test_it_reads_strangers_from_the_request() -> None:
    tenant = create_tenant(locale="de")
    suppress(tenant.pk, [("sms", "+15005550006", "unsubscribed")])
    fields = said(email="bob@example.com", phone="+15005550006", timezone="Asia/Tokyo", devices=["t"])
    bob = once(tenant, fields)
    assert (bob.id, bob.external_id, bob.locale, bob.timezone) == (None, "", "de", "Asia/Tokyo")
    assert bob.addresses == {
        "email": ("bob@example.com",),
        "sms": ("+15005550006",),
        "whatsapp": ("+15005550006",),
        "push": ("t",),
    }
    assert bob.suppressed == {("sms", "+15005550006"): "unsubscribed"}
    assert not Recipient.objects.exists()


def test_it_reads_many_strangers_in_order() -> None:
    tenant = create_tenant()
    emails = [f"{name}@example.com" for name in "cab"]
    people = once_many(tenant, [said(email=email) for email in emails])
    assert [person.addresses["email"] for person in people] == [(email,) for email in emails]
    assert once_many(tenant, []) == []


def test_merge_stores() -> None:
    tenant = create_tenant()
    fields = {
        "email": "ann@example.com",
        "phone": "+15005550006",
        "locale": "en",
        "timezone": "UTC",
        "slack": "C1",
    }
    merge(tenant, [said(id="ann", devices=["t"], **fields)])
    ann = Recipient.objects.get()
    assert {name: getattr(ann, name) for name in fields} == fields
    assert person(tenant).addresses["push"] == ("t",)
    assert ann.created_at == ann.updated_at


def test_merge_overwrites_only_what_is_given() -> None:
    tenant = create_tenant()
    before = create_recipient(tenant, external_id="ann", devices=["old"], locale="de")
    merge(tenant, [said(id="ann", email="new@example.com", phone=None, devices=["new"])])
    ann = person(tenant)
    assert (ann.id, ann.locale) == (before.pk, "de")
    assert ann.addresses["email"] == ("new@example.com",)
    assert ann.addresses["sms"] == ("+15005550006",)
    assert ann.addresses["push"] == ("old", "new")
    assert Recipient.objects.get().updated_at > before.updated_at


def test_merge_writes_nothing_when_nothing_changed() -> None:
    tenant = create_tenant()
    fields = said(id="ann", email="ann@example.com", devices=[{"token": "t", "platform": "ios"}])
    merge(tenant, [fields])
    before = _versions()
    merge(tenant, [fields, said(id="ann"), said(id="ann", devices=["t"])])
    assert _versions() == before


def _versions() -> list[Any]:
    """Where the rows lie: a written row lies elsewhere than before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid FROM preferences_recipient UNION ALL SELECT ctid FROM preferences_device")
        return list(cursor.fetchall())


def test_merge_lets_the_later_description_win() -> None:
    tenant = create_tenant()
    first = said(id="ann", email="1@example.com", locale="de", devices=["1"])
    merge(tenant, [first, said(id="ann", email="2@example.com", devices=["2"])])
    ann = person(tenant)
    assert (ann.addresses["email"], ann.locale) == (("2@example.com",), "de")
    assert ann.addresses["push"] == ("1", "2")


def test_merge_leaves_strangers_alone() -> None:
    tenant = create_tenant()
    merge(tenant, [said(email="ann@example.com")])
    merge(tenant, [])
    assert not Recipient.objects.exists()


def test_merge_keeps_tenants_apart() -> None:
    tenant, other = create_tenant(), create_tenant()
    merge(tenant, [said(id="ann", email="1@example.com", devices=["same"])])
    merge(other, [said(id="ann", email="2@example.com", devices=["same"])])
    assert person(tenant).addresses["email"] == ("1@example.com",)
    assert person(tenant).addresses["push"] == person(other).addresses["push"] == ("same",)


def test_merge_moves_a_device_to_who_registered_it_last() -> None:
    tenant = create_tenant()
    merge(tenant, [said(id="bob", devices=[{"token": "shared", "platform": "ios"}])])
    merge(tenant, [said(id="ann", devices=["shared"])])
    assert person(tenant).addresses["push"] == ("shared",)
    assert "push" not in person(tenant, ("user", "bob")).addresses
    assert Device.objects.get().platform == "ios"


def test_it_joins_a_scope_that_is_open() -> None:
    tenant = create_tenant()
    with tenant_scope(tenant.pk):
        merge(tenant, [said(id="ann")])
        assert isinstance(person(tenant).id, UUID)


@pytest.mark.django_db(transaction=True)
def test_merge_is_safe_side_by_side() -> None:
    """Eight threads, the same recipients and devices in opposite orders: no deadlock, none twice or lost."""
    tenant = create_tenant()

    def work(thread: int) -> None:
        numbers = range(60) if thread % 2 else reversed(range(60))
        locale = f"{'abcdefgh'[thread]}a"
        chunk = [said(id=f"u{n}", locale=locale, devices=[f"t{n}"]) for n in numbers]
        try:
            for _ in range(5):
                merge(tenant, chunk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    people = resolve(tenant, [("user", f"u{n}") for n in range(60)])
    assert all(people["user", f"u{n}"].addresses["push"] == (f"t{n}",) for n in range(60))
    assert Recipient.objects.count() == Device.objects.count() == 60


def test_a_person_is_a_value() -> None:
    tenant = create_tenant()
    create_recipient(tenant, external_id="ann")
    with pytest.raises(dataclasses.FrozenInstanceError):
        person(tenant).locale = "fr"  # type: ignore[misc]
