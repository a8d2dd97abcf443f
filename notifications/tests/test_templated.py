"""What a template says arrives: laid out, inlined, in the recipient's language and time zone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delivery.tests.factories import create_smtp, create_twilio
from notifications.models import FeedItem
from notifications.tests.calls import send
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.models import Layout
from templates_app.tests.factories import create_published, create_template
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], list[str]]
LAYOUT = (
    "<html><head><style>p{color:#123456} @media print{p{color:red}}</style></head>"
    "<body>{{ content }}</body></html>"
)
AT = {"at": "2026-03-01T23:30:00Z", "url": "https://shop.example/orders/A-17"}
IN_APP = {
    "title": "Ready {{ at|time }}",
    "overrides": '{"action": {"text": "Track it", "url": {{ url }}}, "icon": "https://shop.example/parcel.png"}',
}


@pytest.fixture
def ready(tenant: Tenant) -> None:
    Layout.objects.create(tenant=tenant, code="plain", name="Plain", source=LAYOUT, is_default=True)
    mail = Draft("email", "de", {"subject": "Bereit", "html": "*Bereit* {{ at|datetime }}"}, "markdown")
    drafts = [mail, Draft("sms", "de", {"body": "{{ at|date }}"}), Draft("in_app", "de", IN_APP)]
    create_published(tenant, *drafts, sample_data=AT, template=create_template(tenant, "ready"))
    create_recipient(
        tenant,
        external_id="eva",
        email="eva@example.com",
        phone="+15005550007",
        locale="de-AT",
        timezone="Europe/Vienna",
    )


def test_it_works(tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, ready: None) -> None:
    create_smtp(tenant, sandbox)
    create_twilio(tenant, sandbox)
    wanted = {"content": None, "template": "ready", "data": AT, "channels": ["email", "sms", "in_app"]}
    vienna = send(service, **wanted, recipient="eva")["id"]
    drain()
    said = {message["channel"]: message for message in sandbox.messages()}
    assert "02.03.2026, 00:30:00" in said["email"]["html"]
    assert '<p style="color: #123456;"><em>Bereit</em>' in said["email"]["html"]
    assert "@media print" in said["email"]["html"]
    assert said["email"]["text"].strip() == "Bereit 02.03.2026, 00:30:00"
    assert said["sms"]["text"] == "02.03.2026"
    item = FeedItem.objects.get(pk=vienna)
    assert (item.title, item.icon) == ("Ready 00:30", "https://shop.example/parcel.png")
    assert item.action == {"text": "Track it", "url": AT["url"]}


def test_who_has_no_time_zone_reads_the_tenants(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Drain, ready: None
) -> None:
    tenant.timezone = "Asia/Tokyo"
    tenant.save()
    create_twilio(tenant, sandbox)
    send(service, content=None, template="ready", data=AT, channels=["sms"])
    drain()
    assert [message["text"] for message in sandbox.messages()] == ["02.03.2026"]


def test_a_notifications_own_action_goes_first(service: Api, drain: Drain, ready: None) -> None:
    own = {"url": "https://shop.example/else", "text": "Look"}
    wanted = {"content": None, "template": "ready", "data": AT, "channels": ["in_app"], "action": own}
    icon = send(service, **wanted, overrides={"in_app": {"icon": "parcel"}})["id"]
    drain()
    item = FeedItem.objects.get(pk=icon)
    assert (item.action, item.icon) == (own, "parcel")
