"""The links of messages: in the headers of mails, and in whatever template asks."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from delivery import dispatch
from delivery.links import links_of
from delivery.queue import Leg, legs_of
from delivery.tests.factories import EMAIL, SMS, create_delivery, create_smtp, create_twilio, look
from preferences.categories import create_default_categories
from preferences.links import Link, unseal
from preferences.models import Category, Recipient
from preferences.tests.factories import create_recipient
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

FOOTER = "{% if links.unsubscribe %}Out: {{ links.unsubscribe }}{% endif %} Set: {{ links.preferences }}"


@pytest.fixture(autouse=True)
def _public_url(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://notify.example.com"


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant()
    create_default_categories(tenant)
    return tenant


@pytest.fixture
def ann(tenant: Tenant) -> Recipient:
    return create_recipient(tenant, external_id="ann", email=EMAIL[1])


def sent(tenant: Tenant, sandbox: RunningSandbox, **over: Any) -> dict[str, Any]:
    """A delivery of marketing by email unless told otherwise, as it arrives."""
    route = over.pop("route", EMAIL)
    id = create_delivery(tenant, route, **{"category": "marketing", **over})
    dispatch.run(tenant.pk, [id])
    assert look(id).status == "sent", look(id).detail
    message: dict[str, Any] = sandbox.messages()[0]
    return message


def way_out(message: dict[str, Any]) -> Link:
    found = re.fullmatch(
        r"<https://notify\.example\.com/unsubscribe/([\w-]+)>", message["headers"]["List-Unsubscribe"]
    )
    assert found
    link = unseal(found[1])
    assert link is not None
    return link


def test_it_works(tenant: Tenant, ann: Recipient, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    message = sent(tenant, sandbox, recipient_id=ann.pk)
    link = way_out(message)
    assert (link.tenant_id, link.recipient_id, link.address) == (tenant.pk, ann.pk, EMAIL[1])
    assert (link.category, link.channel) == ("marketing", "email")
    assert message["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_stranger_leaves_by_their_address(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_smtp(tenant, sandbox)
    link = way_out(sent(tenant, sandbox))
    assert (link.recipient_id, link.address) == (None, EMAIL[1])


@pytest.mark.parametrize("category", ["transactional", "system", "alert", "critical", "gone"])
def test_what_nobody_can_leave_says_nothing_of_it(
    tenant: Tenant, ann: Recipient, sandbox: RunningSandbox, category: str
) -> None:
    Category.objects.create(tenant=tenant, code="critical", name="Recalls", is_critical=True)
    create_smtp(tenant, sandbox)
    message = sent(tenant, sandbox, recipient_id=ann.pk, category=category)
    assert not {name for name in message["headers"] if name.startswith("List-")}


@pytest.mark.parametrize(
    ("category", "stored", "expected"),
    [
        ("marketing", True, r"Out: https://\S+/unsubscribe/(\S+) Set: https://\S+/preferences/\1"),
        ("marketing", False, r"Out: https://\S+/unsubscribe/\S+ Set: ?"),
        ("transactional", True, r" ?Set: https://\S+/preferences/\S+"),
    ],
)
def test_templates_have_them(
    tenant: Tenant, ann: Recipient, sandbox: RunningSandbox, category: str, stored: bool, expected: str
) -> None:
    draft = Draft("email", "en", {"subject": "{{ links.title }}", "body": FOOTER, "html": f"<p>{FOOTER}</p>"})
    version = create_published(tenant, draft, sample_data={"links": {"title": "News"}})
    assert version.variables == [], "no request has to give them"
    create_smtp(tenant, sandbox)
    message = sent(
        tenant,
        sandbox,
        category=category,
        recipient_id=ann.pk if stored else None,
        template_version_id=version.pk,
        payload={"data": {"links": {"title": "News", "unsubscribe": "https://evil.example"}}},
    )
    assert message["subject"] == "News", "what the data call so stays"
    assert re.fullmatch(expected, message["text"].strip())


def test_text_messages_have_them_too(tenant: Tenant, ann: Recipient, sandbox: RunningSandbox) -> None:
    version = create_published(tenant, Draft("sms", "en", {"body": "Stop: {{ links.unsubscribe }}"}))
    create_twilio(tenant, sandbox)
    message = sent(
        tenant, sandbox, route=SMS, recipient_id=ann.pk, template_version_id=version.pk, payload={"data": {}}
    )
    link = unseal(message["text"].rpartition("/")[2])
    assert link is not None
    assert (link.channel, link.address) == ("sms", SMS[1])


def leg(tenant: Tenant, id: UUID) -> Leg:
    (found,) = legs_of(look(id).notification_id)
    return found


def test_it_asks_for_categories_once_and_only_where_they_matter(
    tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mails = [leg(tenant, create_delivery(tenant, EMAIL, category="marketing")) for _ in range(3)]
    texts = [leg(tenant, create_delivery(tenant, SMS, category="marketing")) for _ in range(3)]
    with django_assert_num_queries(0):
        assert [links.in_headers() for links in links_of(texts, tenant)] == ["", "", ""]
    with django_assert_num_queries(4):  # savepoint, scope, categories, release
        assert all(links.in_headers() for links in links_of(mails, tenant))


def test_a_device_that_nobody_knows_has_none(tenant: Tenant) -> None:
    """Its token is no address that a person could ask for by."""
    (links,) = links_of(
        [leg(tenant, create_delivery(tenant, ("push", "token"), category="marketing"))], tenant
    )
    assert links.words() == {"unsubscribe": "", "preferences": ""}
