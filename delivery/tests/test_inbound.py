"""What recipients write back."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from delivery import inbound
from delivery.models import ProviderAccount, Reply
from delivery.providers.base import Inbound
from delivery.receipts import apply
from delivery.tests.factories import create_twilio
from preferences.models import Suppression
from preferences.suppressions import among, suppress
from sandbox.testing import RunningSandbox
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ANN = "+15005550006"
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def account(tenant: Tenant, sandbox: RunningSandbox) -> ProviderAccount:
    return create_twilio(tenant, sandbox)


def reply(text: str, *, sender: str = ANN, event_id: str = "", minute: int = 0) -> Inbound:
    occurred_at = NOON + dt.timedelta(minutes=minute)
    return Inbound(event_id or str(new_id()), sender, "+15005550000", text, occurred_at)


def suppressed(tenant: Tenant) -> dict[tuple[str, str], str]:
    numbers = [ANN, "Shop", *(f"+1500555010{place}" for place in range(5))]
    found = among(tenant.pk, [(channel, number) for channel in ("sms", "whatsapp") for number in numbers])
    assert len(found) == Suppression.objects.filter(tenant=tenant).count()
    return found


SILENT = {("sms", ANN): "unsubscribed"}


def test_it_works(tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("Thank you!"), reply("Stop.", minute=1)])
    assert suppressed(tenant) == SILENT
    said = Reply.objects.order_by("occurred_at").values_list("sender", "text", "wish", "tenant_id")
    assert list(said) == [(ANN, "Thank you!", "", tenant.pk), (ANN, "Stop.", "stop", tenant.pk)]
    apply(account, [reply("start", minute=2)])
    assert suppressed(tenant) == {}


def test_a_repeated_event_is_known(tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("stop", event_id="1"), reply("stop", event_id="1")])
    apply(account, [reply("start", event_id="2", minute=1)])
    apply(account, [reply("stop", event_id="1")])
    assert suppressed(tenant) == {}
    assert Reply.objects.count() == 2


def test_the_last_word_counts_whatever_comes_first(tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("start", minute=5)])
    apply(account, [reply("stop", minute=4)])
    assert suppressed(tenant) == {}
    apply(account, [reply("stop", minute=9), reply("start", minute=8)])
    assert suppressed(tenant) == SILENT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("last", ["stop", "start"])
def test_words_that_come_at_once_are_heeded_one_after_the_other(
    tenant: Tenant, account: ProviderAccount, last: str
) -> None:
    words = {"stop": 1, "start": 1} | {last: 2}
    ready = Barrier(2)

    def take_in(word: str) -> None:
        ready.wait()
        try:
            apply(account, [reply(word, minute=words[word])])
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(take_in, words))
    assert suppressed(tenant) == (SILENT if last == "stop" else {})


def test_start_lifts_what_was_asked_for_and_what_it_disproves(
    tenant: Tenant, account: ProviderAccount
) -> None:
    reasons = ["unsubscribed", "invalid", "bounced", "complained", "manual"]
    numbers = [f"+1500555010{place}" for place in range(len(reasons))]
    suppress(tenant.pk, [("sms", number, reason) for number, reason in zip(numbers, reasons, strict=True)])
    suppress(tenant.pk, [("whatsapp", numbers[0], "unsubscribed")])
    apply(account, [reply("START", sender=number) for number in numbers])
    assert suppressed(tenant) == {
        ("sms", numbers[3]): "complained",
        ("sms", numbers[4]): "manual",
        ("whatsapp", numbers[0]): "unsubscribed",
    }


def test_who_uses_the_installations_number_is_meant_too(sandbox: RunningSandbox) -> None:
    sharing, own_words, apart = create_tenant(), create_tenant(), create_tenant()
    own_words.reply_words = {"stop": {"en": ["enough"]}}
    own_words.save()
    shared, other = create_twilio(None, sandbox), create_twilio(apart, sandbox)
    apply(shared, [reply("stop")])
    assert [suppressed(t) for t in (sharing, own_words, apart)] == [SILENT, {}, {}]
    apply(shared, [reply("Enough!", minute=1)])
    assert [suppressed(t) for t in (sharing, own_words, apart)] == [SILENT, SILENT, {}]
    apply(other, [reply("stop")])
    assert suppressed(apart) == SILENT
    assert Reply.objects.filter(tenant=None).count() == 2


def test_a_number_is_spelled_as_its_recipient_is(tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("stop", sender="(500) 555-0006"), reply("stop", sender="Shop")])
    assert suppressed(tenant) == {("sms", ANN): "unsubscribed", ("sms", "Shop"): "unsubscribed"}


def test_what_cannot_be_stored_as_it_is(tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("stop\0" + "x" * 5_000, event_id="\0" * 300)])
    assert len(Reply.objects.get().text) == 1600


def test_it_does_all_or_nothing(tenant: Tenant, account: ProviderAccount) -> None:
    """The vendor posts again what could not be taken in: it must not be known by then."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE preferences_suppression RENAME TO elsewhere")
    with pytest.raises(Exception, match="preferences_suppression"):
        apply(account, [reply("stop", event_id="1")])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE elsewhere RENAME TO preferences_suppression")
    apply(account, [reply("stop", event_id="1")])
    assert suppressed(tenant) == SILENT


def test_windows(
    tenant: Tenant, account: ProviderAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bob, nobody = "+15005550009", UUID(int=7)
    apply(account, [reply("Hello", minute=3), reply("Hello?"), reply("Hi", sender=bob, minute=1)])
    asked = [(account.pk, ANN), (account.pk, bob), (account.pk, "+15005550001"), (nobody, ANN)]
    with django_assert_num_queries(1):
        assert inbound.windows("whatsapp", asked) == {
            (account.pk, ANN): NOON + dt.timedelta(hours=24, minutes=3),
            (account.pk, bob): NOON + dt.timedelta(hours=24, minutes=1),
        }


def test_it_forgets(tenant: Tenant, account: ProviderAccount, settings: Settings) -> None:
    apply(account, [reply("old"), reply("new")])
    settings.NOTIFICATION_REPLY_DAYS = 30
    Reply.objects.filter(text="old").update(created_at=timezone.now() - dt.timedelta(days=31))
    assert inbound.forget() == 1
    assert Reply.objects.get().text == "new"


def test_operators_see_replies(admin_client: Client, tenant: Tenant, account: ProviderAccount) -> None:
    apply(account, [reply("Stop.")])
    page = admin_client.get("/admin/delivery/reply/").content.decode()
    assert "Stop." in page
    assert ANN not in page
    row = Reply.objects.get()
    assert admin_client.get(f"/admin/delivery/reply/{row.pk}/change/").status_code == 200
