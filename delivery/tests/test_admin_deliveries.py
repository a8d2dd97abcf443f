from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from delivery.dead_letters import retry, retry_many
from delivery.models import Delivery
from delivery.tests.factories import EMAIL, SMS, create_delivery, create_twilio, look, outcomes
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, confirm, counted, post, queries, see, staff

pytestmark = pytest.mark.django_db
DELIVERIES = "/admin/delivery/delivery/"


def page(delivery_id: UUID) -> str:
    return f"{DELIVERIES}{delivery_id}/change/"


def dead(tenant: Tenant, *routes: tuple[str, str], **over: Any) -> UUID:
    id = create_delivery(tenant, *routes)
    Delivery.objects.filter(pk=id).update(
        **{"status": "failed", "reason": "retries_spent", "attempt": 4, **over}
    )
    return id


def listed(client: Client, **params: Any) -> set[UUID]:
    return {row.pk for row in client.get(DELIVERIES, params).context["cl"].result_list}


@pytest.mark.django_db(transaction=True)
def test_it_works(
    admin_client: Client, tenant: Tenant, sandbox: RunningSandbox, drain: Callable[[], list[str]]
) -> None:
    create_twilio(tenant, sandbox)
    id = create_delivery(tenant, ("sms", "+15005550009"))
    Delivery.objects.filter(pk=id).update(status="failed", reason="no_account")
    confirm(admin_client, f"{DELIVERIES}{id}/retry/")
    drain()
    assert outcomes(id) == [("address", "21614")]
    shown = see(admin_client, page(id))
    assert "21614" in shown
    assert "+1•••••0009" in shown
    assert "not a mobile number" in shown


@pytest.mark.django_db(transaction=True)
def test_it_retries_selected_dead_letters_after_asking(
    admin_client: Client, tenant: Tenant, sandbox: RunningSandbox, drain: Callable[[], list[str]]
) -> None:
    create_twilio(tenant, sandbox)
    first, second, alive = dead(tenant), dead(tenant), create_delivery(tenant)
    chosen = {"action": "retry_selected", "_selected_action": [str(id) for id in (first, second, alive)]}
    asked = post(admin_client, DELIVERIES, chosen)
    assert "2 dead letters will start again" in asked
    assert "The other 1 selected is not dead" in asked
    assert look(first).status == "failed"
    assert "2 deliveries put back" in post(admin_client, DELIVERIES, {**chosen, "confirmed": "yes"})
    drain()
    assert outcomes(first) == outcomes(second) == [("sent", "")]
    assert outcomes(alive) == []


def test_it_says_when_nothing_selected_is_dead(admin_client: Client, tenant: Tenant) -> None:
    chosen = {"action": "retry_selected", "_selected_action": [str(create_delivery(tenant))]}
    assert "None of the selected deliveries is a dead letter." in post(admin_client, DELIVERIES, chosen)


def test_it_offers_a_retry_of_dead_letters_only(admin_client: Client, tenant: Tenant) -> None:
    assert "/retry/" in see(admin_client, page(dead(tenant)))
    assert "/retry/" not in see(admin_client, page(create_delivery(tenant)))


def test_it_leaves_alone_what_is_not_dead(admin_client: Client, tenant: Tenant) -> None:
    id = create_delivery(tenant)
    confirm(admin_client, f"{DELIVERIES}{id}/retry/")
    assert look(id).reason == ""


def test_it_lets_only_those_retry_who_may_change(tenant: Tenant) -> None:
    id = dead(tenant)
    viewer = staff("delivery.view_delivery")
    assert "/retry/" not in see(viewer, page(id))
    assert viewer.post(f"{DELIVERIES}{id}/retry/", {"_form_submitted": "on"}).status_code == 403
    post(viewer, DELIVERIES, {"action": "retry_selected", "_selected_action": [str(id)], "confirmed": "yes"})
    assert look(id).status == "failed"


def test_it_retries_nobody_elses(tenant: Tenant) -> None:
    id = dead(tenant)
    assert retry(create_tenant().pk, [id]) == 0
    assert look(id).status == "failed"


def test_it_retries_for_several_tenants(tenant: Tenant) -> None:
    ids = [dead(tenant), dead(create_tenant())]
    assert retry_many(Delivery.objects.filter(pk__in=ids)) == 2
    assert {look(id).reason for id in ids} == {"redriven"}


def test_it_masks_addresses(admin_client: Client, tenant: Tenant) -> None:
    id = create_delivery(tenant, EMAIL, SMS)
    for path in (DELIVERIES, page(id)):
        shown = see(admin_client, path)
        assert "a•••@example.com" in shown
        assert EMAIL[1] not in shown
        assert SMS[1] not in shown


def test_it_never_edits_or_deletes(admin_client: Client, tenant: Tenant) -> None:
    id = create_delivery(tenant)
    assert admin_client.post(page(id), {"status": "sent"}).status_code == 403
    assert admin_client.post(f"{DELIVERIES}{id}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{DELIVERIES}add/").status_code == 403
    assert look(id).status == "queued"


def test_it_finds_by_its_own_id_and_by_the_notifications(admin_client: Client, tenant: Tenant) -> None:
    id = create_delivery(tenant)
    create_delivery(tenant)
    assert listed(admin_client, q=id) == listed(admin_client, q=look(id).notification_id) == {id}
    assert listed(admin_client, q="ann") == set()


def test_it_filters(admin_client: Client, tenant: Tenant, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox).pk
    gone = dead(tenant, EMAIL, account_id=account)
    here = create_delivery(tenant)
    other = create_delivery(create_tenant())
    assert listed(admin_client, status__exact="failed") == {gone}
    assert listed(admin_client, channel="email") == {gone}
    assert listed(admin_client, reason="retries_spent") == {gone}
    assert listed(admin_client, account=account) == {gone}
    assert listed(admin_client, account="none") == {gone, here, other}
    assert listed(admin_client, tenant__id__exact=tenant.pk) == {gone, here}
    assert listed(admin_client, created_at_to_0="2020-01-01") == set()


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, DELIVERIES, lambda: create_delivery(tenant))
    filtered = queries(
        admin_client, f"{DELIVERIES}?status__exact=queued&channel=sms&tenant__id__exact={tenant.pk}"
    )
    assert not counted(filtered)
    assert not [sql for sql in filtered if "OFFSET" in sql]


def test_it_opens_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert not counted(queries(admin_client, page(dead(tenant))))
