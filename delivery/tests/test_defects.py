"""What a defect, a hostile answer or an outage at the wrong moment may cost: itself, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from pytest_django.fixtures import Settings

from delivery import dispatch
from delivery.models import Attempt
from delivery.providers.base import ErrorKind, Message, ProviderError, Sent
from delivery.recording import storable
from delivery.signals import deliveries_changed
from delivery.tests.factories import attempts, create_deliveries, create_delivery, look, outcomes
from delivery.tests.vendors import TestVendor, account_of
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

BAD = ("sms", "+15005550099")


def statuses(ids: Sequence[Any]) -> set[str]:
    return {look(id).status for id in ids}


def test_a_defect_is_unknown_for_its_message_only(tenant: Tenant) -> None:
    class Defective(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            if message.to == BAD[1]:
                raise KeyError("colour")
            return Sent("id-1")

    bad, good = create_delivery(tenant, BAD, unknown_policy="stop"), create_deliveries(tenant, 3)
    with account_of(Defective, tenant):
        dispatch.run(tenant.pk, [bad, *good])
    assert outcomes(bad) == [("unknown", "defect")]
    assert statuses(good) == {"sent"}


@pytest.mark.parametrize("answer", [[], [Sent()], [Sent()] * 3, [None, None], None])
def test_a_provider_that_answers_for_others_is_unknown(tenant: Tenant, answer: Any) -> None:
    class Confused(TestVendor):
        async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
            result: list[Sent | ProviderError] = answer
            return result

    ids = create_deliveries(tenant, 2, unknown_policy="stop")
    with account_of(Confused, tenant):
        dispatch.run(tenant.pk, ids)
    assert [outcomes(id) for id in ids] == [[("unknown", "defect")]] * 2


def test_a_provider_that_cannot_begin_in_time_keeps_the_rest_for_later(tenant: Tenant) -> None:
    class Slow(TestVendor):
        async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
            self.budget = 0.0
            return await super().send(messages)

        async def send_one(self, message: Message) -> Sent:
            raise AssertionError("there was no time left")

    id = create_delivery(tenant)
    with account_of(Slow, tenant):
        dispatch.run(tenant.pk, [id])
    assert (look(id).status, look(id).reason, look(id).tries) == ("queued", "rate_limited", 0)
    assert outcomes(id) == [("rate_limited", "out_of_time")]


def test_what_a_vendor_says_can_always_be_stored(tenant: Tenant) -> None:
    class Hostile(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            if message.to == BAD[1]:
                raise ProviderError(ErrorKind.ADDRESS, "a\0b\ud800" + "x" * 2_000, code="\0" * 100 + "7")
            return Sent("i\0d" + "y" * 2_000, "\ud800")

    bad, good = create_delivery(tenant, BAD), create_delivery(tenant)
    with account_of(Hostile, tenant):
        dispatch.run(tenant.pk, [bad, good])
    assert statuses([bad, good]) == {"failed", "sent"}
    assert attempts(bad)[0].detail == storable("ab?" + "x" * 2_000, 500)
    assert len(attempts(good)[0].provider_message_id) == 255


def test_a_vendor_that_asks_for_eternity_gets_a_day(tenant: Tenant) -> None:
    class Patient(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            raise ProviderError(ErrorKind.RATE_LIMITED, "later", retry_after=float("inf"))

    id = create_delivery(tenant)
    with account_of(Patient, tenant):
        dispatch.run(tenant.pk, [id])
    wait = look(id).due_at - look(id).changed_at
    assert 1 <= wait.total_seconds() / 86_400 < 1.25


def test_a_delivery_that_cannot_be_settled_does_not_take_its_chunk_with_it(tenant: Tenant) -> None:
    class Works(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            return Sent("id")

    ids = create_deliveries(tenant, 7)

    def refuse(changes: Sequence[Any], **kwargs: Any) -> None:
        if ids[3] in {change.delivery_id for change in changes}:
            raise ValueError("a defect in a receiver")

    deliveries_changed.connect(refuse)
    try:
        with account_of(Works, tenant):
            dispatch.run(tenant.pk, ids)
    finally:
        deliveries_changed.disconnect(refuse)
    assert [look(id).status for id in ids] == ["sent"] * 3 + ["sending"] + ["sent"] * 3
    assert attempts(ids[3]) == []


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_is_recorded_though_postgresql_was_away(tenant: Tenant) -> None:
    """The server ends our connection while the vendor is being called, as a restart does."""

    ids = create_deliveries(tenant, 3)
    own = connection.connection.info

    class Cuts(TestVendor):
        async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
            with psycopg.connect(own.dsn, password=own.password, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [own.backend_pid])
            return [Sent("id")] * len(messages)

    with account_of(Cuts, tenant):
        dispatch.run(tenant.pk, ids)
    assert statuses(ids) == {"sent"}
    assert Attempt.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    class Works(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            return Sent("id")

    def break_after_commit(**kwargs: Any) -> None:
        transaction.on_commit(_connection_lost)

    id = create_delivery(tenant)
    deliveries_changed.connect(break_after_commit)
    try:
        with account_of(Works, tenant):
            dispatch.run(tenant.pk, [id])
    finally:
        deliveries_changed.disconnect(break_after_commit)
    assert look(id).status == "sent"
    assert outcomes(id) == [("sent", "")]
    assert "cannot be settled" not in caplog.text, "and nobody is woken up for it"


def _connection_lost() -> None:
    raise OperationalError("the server closed the connection unexpectedly")


@pytest.mark.parametrize("lease", [1, 4, 15])
def test_a_short_lease_shortens_calls_and_still_sends(tenant: Tenant, settings: Settings, lease: int) -> None:
    settings.NOTIFICATION_LEASE_SECONDS = lease
    made: list[TestVendor] = []

    class Works(TestVendor):
        async def send_one(self, message: Message) -> Sent:
            made.append(self)
            return Sent("id")

    id = create_delivery(tenant)
    with account_of(Works, tenant):
        dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent"
    assert made[0].timeout + made[0].budget < lease
