"""The number that a push message puts on the app's icon."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from delivery.models import Delivery
from notifications import planning
from notifications.models import Notification
from notifications.tests.calls import send
from notifications.tests.feeds import new_item, tell
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(tenant: Tenant) -> Recipient:
    return create_recipient(tenant, external_id="bob", email="bob@example.com", devices=("phone", "tablet"))


def planned(tenant: Tenant, service: Api, *requests: dict[str, Any]) -> dict[str, list[int | None]]:
    """Plan them as one chunk: the badge of each leg, by its channels, in order."""
    for request in requests:
        send(service, **{"recipient": "bob", **request})
    planning.plan(tenant.pk, list(Notification.objects.values_list("pk", flat=True)))
    badges: dict[str, list[int | None]] = {}
    for delivery in Delivery.objects.order_by("id"):
        channels = ">".join(channel for channel, _ in delivery.routes)
        badges.setdefault(channels, []).append(delivery.payload.get("badge"))
    return badges


def test_it_works(tenant: Tenant, service: Api, bob: Recipient) -> None:
    tell(bob, new_item(bob), new_item(bob))
    assert planned(tenant, service, {"channels": ["push"]}) == {"push": [2, 2]}


def test_a_notification_counts_where_it_goes_into_the_feed_too(
    tenant: Tenant, service: Api, bob: Recipient
) -> None:
    tell(bob)
    badges = planned(tenant, service, {"channels": ["push", "in_app", "email"]})
    assert badges == {"push": [2, 2], "in_app": [None], "email": [None]}


def test_each_of_a_chunk_counts_those_before_it(tenant: Tenant, service: Api, bob: Recipient) -> None:
    both = {"channels": ["in_app", "push"]}
    badges = planned(tenant, service, both, {"channels": ["in_app"]}, both)
    assert badges["push"] == [1, 1, 3, 3]


def test_a_chain_that_may_end_in_push_has_one(tenant: Tenant, service: Api, bob: Recipient) -> None:
    tell(bob)
    assert planned(tenant, service, {"channels": [["email", "push"]]}) == {"email>push>push": [1]}
    assert planned(tenant, service, {"channels": [["push", "in_app"]]})["push>in_app"] == [1, 1]


def test_somebody_whom_nobody_stored_has_none(tenant: Tenant, service: Api) -> None:
    once = {"recipient": {"devices": ["phone"]}, "channels": ["push"]}
    assert planned(tenant, service, once) == {"push": [None]}


def test_it_asks_once_a_chunk_and_never_without_push(tenant: Tenant, service: Api, bob: Recipient) -> None:
    def asked(channel: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            planned(tenant, service, *[{"channels": [channel]}] * 3)
        return sum("FROM notifications_feed" in query["sql"] for query in queries)

    assert (asked("email"), asked("push")) == (0, 1)
