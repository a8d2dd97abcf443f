from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from delivery.tests.factories import create_smtp, create_twilio
from notifications.admin.timeline import since, timeline
from notifications.models import Notification
from notifications.tests.calls import a_notification, look, send
from preferences import rules
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api, create_tenant
from tenants.tests.pages import assert_bounded, confirm, counted, queries, see, staff

pytestmark = pytest.mark.django_db
NOTIFICATIONS = "/admin/notifications/notification/"
LATER = {"delay": 3600}


def page(id: str) -> str:
    return f"{NOTIFICATIONS}{id}/change/"


def create(tenant: Tenant, **over: Any) -> Notification:
    known = {
        "category": "transactional",
        "type": "info",
        "priority": 6,
        "status": "sent",
        "channels": ["sms"],
    }
    return Notification.objects.create(tenant=tenant, **{**known, **over})


def listed(client: Client, **params: Any) -> set[object]:
    return {row.pk for row in client.get(NOTIFICATIONS, params).context["cl"].result_list}


@pytest.mark.django_db(transaction=True)
def test_it_works(
    admin_client: Client,
    tenant: Tenant,
    service: Api,
    sandbox: RunningSandbox,
    drain: Callable[[], list[str]],
) -> None:
    create_smtp(tenant, sandbox)
    twilio = create_twilio(tenant, sandbox)
    chain = ["in_app", ["sms", "email"]]
    unreachable = {"id": "bob", "phone": "+15005550001", "email": "bob@example.com"}
    id = send(service, recipient=unreachable, channels=chain, data={"order": {"id": "A-17"}})["id"]
    drain()
    shown = see(admin_client, page(id))
    steps = [
        *("Accepted", "in_app: deliver to the feed", "sms: deliver to +1•••••0001", f"sms: by {twilio.name}"),
        *("sms: address error", "21211", "email: by smtp", "email: handed over"),
    ]
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)
    assert "next route" in shown
    assert "bob@example.com" not in shown
    assert "&quot;id&quot;: &quot;A-17&quot;" in shown


def test_it_says_why_somebody_is_left_out(admin_client: Client, service: Api) -> None:
    id = send(service, recipient={"id": "eve"}, channels=["email"])["id"]
    Notification.objects.filter(pk=id).update(
        trace=[
            {
                "at": "2026-01-01T00:00:00Z",
                "step": "plan",
                "decision": "skip",
                "channel": "email",
                "address": "",
                "reason": "suppressed:complained",
            }
        ]
    )
    assert "the address is suppressed: complained" in see(admin_client, page(id))


@pytest.mark.django_db(transaction=True)
def test_it_cancels(admin_client: Client, service: Api) -> None:
    id = send(service, **LATER)["id"]
    assert "Cancel this notification?" in see(admin_client, f"{NOTIFICATIONS}{id}/cancel/")
    assert look(service, id)["status"] == "scheduled"
    confirm(admin_client, f"{NOTIFICATIONS}{id}/cancel/")
    assert look(service, id)["status"] == "canceled"
    assert "/cancel/" not in see(admin_client, page(id))


def test_it_says_when_there_is_nothing_to_cancel(admin_client: Client, tenant: Tenant) -> None:
    gone = create(tenant)
    confirm(admin_client, f"{NOTIFICATIONS}{gone.pk}/cancel/")
    assert "There was nothing left to cancel." in see(admin_client, page(str(gone.pk)))


def test_it_lets_only_those_cancel_who_may_change(service: Api) -> None:
    id = send(service, **LATER)["id"]
    viewer = staff("notifications.view_notification")
    assert "/cancel/" not in see(viewer, page(id))
    assert viewer.post(f"{NOTIFICATIONS}{id}/cancel/", {"_form_submitted": "on"}).status_code == 403
    assert look(service, id)["status"] == "scheduled"


def test_it_is_closed_to_those_who_may_not_look(service: Api) -> None:
    id = send(service)["id"]
    stranger = staff("tenants.view_tenant")
    assert stranger.get(NOTIFICATIONS).status_code == 403
    assert stranger.get(page(id)).status_code == 403


def test_it_never_edits_or_deletes(admin_client: Client, service: Api) -> None:
    id = send(service)["id"]
    assert admin_client.post(page(id), {"status": "sent"}).status_code == 403
    assert admin_client.post(f"{NOTIFICATIONS}{id}/delete/", {"post": "yes"}).status_code == 403
    assert look(service, id)["status"] == "accepted"


@pytest.mark.parametrize("id", ["none", "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_it_has_no_page_for_what_is_not_there(admin_client: Client, id: str) -> None:
    assert admin_client.get(page(id)).headers["Location"] == "/admin/"
    assert admin_client.post(f"{NOTIFICATIONS}{id}/cancel/", {"_form_submitted": "on"}).status_code == 404


def test_it_finds_by_id_reference_and_recipient(admin_client: Client, tenant: Tenant) -> None:
    wanted = create(tenant, reference="A-17", recipient_external_id="ann")
    create(tenant, reference="A-171", recipient_external_id="anna")
    for term in (wanted.pk, "A-17", "ann"):
        assert listed(admin_client, q=term) == {wanted.pk}


def test_it_filters(admin_client: Client, tenant: Tenant) -> None:
    urgent = create(tenant, priority=0, category="alert", status="failed").pk
    usual, other = create(tenant).pk, create(create_tenant()).pk
    assert listed(admin_client, status__exact="failed") == {urgent}
    assert listed(admin_client, priority__exact="0") == {urgent}
    assert listed(admin_client, category="alert") == {urgent}
    assert listed(admin_client, tenant__id__exact=tenant.pk) == {urgent, usual}
    assert listed(admin_client, created_at_from_0="2020-01-01", created_at_from_1="12:00") == {
        urgent,
        usual,
        other,
    }
    assert listed(admin_client, created_at_to_0="2020-01-01") == set()


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, NOTIFICATIONS, lambda: create(tenant))
    filtered = queries(
        admin_client, f"{NOTIFICATIONS}?status__exact=sent&tenant__id__exact={tenant.pk}&q=ann"
    )
    assert not counted(filtered)
    assert not [sql for sql in filtered if "OFFSET" in sql]


def test_it_opens_within_bounds(admin_client: Client, service: Api) -> None:
    id = send(service)["id"]
    assert not counted(queries(admin_client, page(id)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, ""),
        (-1, ""),
        (0.34, "+340 ms"),
        (2.14, "+2.1 s"),
        (180, "+3 min"),
        (7200, "+2 h"),
        (432_000, "+5 d"),
    ],
)
def test_it_says_how_long_after(seconds: float, words: str) -> None:
    assert since(dt.timedelta(seconds=seconds)) == words


def test_it_tells_of_a_step_that_it_does_not_know() -> None:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    (entry,) = timeline([{"at": at, "step": "digest", "decision": "held_back", "reason": "some_reason"}])
    assert (entry.title, entry.note, entry.icon) == ("held back", "some reason", "circle")


@pytest.mark.parametrize(("step", "title"), [("plan", "sms: wait"), ("decide", "sms: wait, decided again")])
def test_it_tells_until_when(step: str, title: str) -> None:
    said = {"at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "step": step, "channel": "sms", "decision": "hold"}
    (entry,) = timeline([{**said, "reason": "quiet_hours", "until": "2026-01-02T07:00:01Z"}])
    assert (entry.title, entry.note) == (title, "they have quiet hours, until 2026-01-02 07:00 UTC")


def test_it_tells_since_when() -> None:
    said = {
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "step": "plan",
        "channel": "push",
        "decision": "skip",
    }
    (entry,) = timeline([{**said, "reason": "recipient_online", "since": "2026-01-01T09:12:44.5Z"}])
    assert entry.note == "they have the live feed open, since 2026-01-01 09:12 UTC"


def test_every_reason_is_explained() -> None:
    """In the admin, and for those who configure it."""
    listed = str(rules.__doc__).partition("Reasons are part of the API")[2]
    reasons = re.findall(r"`([a-z_]+)", listed)
    written = (settings.BASE_DIR / "docs" / "preferences.md").read_text()
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for reason in reasons:
        whole = "suppressed:bounced" if reason == "suppressed" else reason
        (entry,) = timeline([{"at": at, "step": "plan", "decision": "skip", "reason": whole}])
        assert entry.note != whole.replace("_", " ")
        assert f"`{reason}" in written
    assert len(reasons) > 15


def test_it_escapes_what_services_sent(admin_client: Client, service: Api) -> None:
    assert a_notification()["content"]["html"] not in see(admin_client, page(send(service)["id"]))
