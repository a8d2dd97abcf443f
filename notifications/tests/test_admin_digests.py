"""The list of digests, and closing one before its time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from notifications import digest_closing, planning
from notifications.ledger import ledger
from notifications.models import Digest, Notification
from notifications.tests.calls import send
from preferences.tests.factories import create_recipient
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published, create_template
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.factories import Api
from tenants.tests.pages import assert_bounded, confirm, post, see, staff

pytestmark = pytest.mark.django_db
DIGESTS = "/admin/notifications/digest/"


@pytest.fixture
def digest(tenant: Tenant, service: Api) -> Digest:
    """Of two events, open for an hour."""
    words = Draft("email", "en", {"subject": "{{ total }} comments", "body": "{{ total }} comments"})
    create_published(tenant, words, sample_data={"total": 2}, template=create_template(tenant, "comments"))
    create_recipient(tenant, external_id="eva")
    told: dict[str, Any] = {
        "recipient": "eva",
        "content": None,
        "template": "comments",
        "channels": ["email"],
        "data": {},
    }
    told |= {"digest": {"window": "1h", "key": "talk"}}
    planning.plan(tenant.pk, [UUID(send(service, **told)["id"]) for _ in range(2)])
    return Digest.objects.get()


def page(digest: Digest) -> str:
    return f"{DIGESTS}{digest.pk}/change/"


def listed(client: Client, **asked: str) -> list[Any]:
    return list(client.get(DIGESTS, asked).context["cl"].result_list)


def test_it_works(admin_client: Client, tenant: Tenant, digest: Digest) -> None:
    assert [(row.items, row.closed_at) for row in listed(admin_client)] == [(2, None)]
    shown = see(admin_client, page(digest))
    assert "2 events" in shown
    assert "Closes" in shown
    confirm(admin_client, f"{DIGESTS}{digest.pk}/close/")
    digest.refresh_from_db()
    telling = Notification.objects.get(is_digest=True)
    assert (digest.notification_id, telling.data["total"]) == (telling.pk, 2)
    assert digest.closed_at is not None
    assert digest.closed_at < digest.closes_at
    assert "Closed before its time." in LogEntry.objects.get().get_change_message()
    shown = see(admin_client, page(digest))
    assert f"/admin/notifications/notification/{telling.pk}/change/" in shown
    assert "Close now" not in shown
    assert f"/admin/notifications/notification/{telling.pk}/change/" in see(admin_client, DIGESTS)
    assert ledger(tenant.pk).balanced


def test_it_finds_and_filters(admin_client: Client, digest: Digest) -> None:
    for asked in (
        {"q": "eva"},
        {"q": "talk"},
        {"q": str(digest.pk)},
        {"state": "open"},
        {"state": "none"},
    ):
        assert listed(admin_client, **asked) == [digest]
    for asked in ({"q": "ann"}, {"state": "closed"}):
        assert listed(admin_client, **asked) == []


def test_several_are_closed_at_once(admin_client: Client, digest: Digest) -> None:
    chosen = {"action": "close_selected", "_selected_action": [str(digest.pk)]}
    assert "Closed: 1." in post(admin_client, DIGESTS, chosen)
    assert "None of these was open any more." in post(admin_client, DIGESTS, chosen)
    assert Notification.objects.filter(is_digest=True).count() == 1


def test_the_clock_closes_only_what_is_due(tenant: Tenant, digest: Digest) -> None:
    assert digest_closing.close(tenant.pk, [digest.pk], now=timezone.now()) == 0


def test_it_takes_a_permission(digest: Digest) -> None:
    viewer = staff("notifications.view_digest")
    assert "Close now" not in see(viewer, page(digest))
    assert viewer.post(f"{DIGESTS}{digest.pk}/close/", {"_form_submitted": "on"}).status_code == 403
    assert Digest.objects.get().closed_at is None


def test_its_pages_are_bounded(admin_client: Client, tenant: Tenant) -> None:
    def another() -> None:
        now = timezone.now()
        named = {"recipient_external_id": str(new_id()), "recipient_type": "user", "key": "k", "window": "1h"}
        Digest.objects.create(tenant=tenant, opened_at=now, closes_at=now, **named)

    assert_bounded(admin_client, DIGESTS, another)
