"""`/unsubscribe/{token}`, as mail programs, mail filters and people come to it."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from config import asgi
from preferences import switches
from preferences.categories import create_default_categories
from preferences.links import Link, seal
from preferences.models import Preference, Recipient, Suppression
from preferences.subscription import look
from preferences.tests.factories import create_recipient
from templates_app.tests.factories import create_template
from tenants.logging import LineFormatter
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant(name="Ann's Shop")
    create_default_categories(tenant)
    return tenant


@pytest.fixture
def ann(tenant: Tenant) -> Recipient:
    return create_recipient(tenant, external_id="ann", email="ann@example.com")


def link_for(recipient: Recipient | None, tenant: Tenant, **over: Any) -> Link:
    fields = {"channel": "email", "category": "marketing", "address": "ann@example.com"}
    until = timezone.now() + dt.timedelta(days=1)
    return Link(tenant.pk, recipient.pk if recipient else None, **{"until": until, **fields, **over})


def url(link: Link) -> str:
    return f"/unsubscribe/{seal(link)}"


def browser() -> Client:
    """One that would be refused where a form needs a CSRF token."""
    return Client(enforce_csrf_checks=True)


def press(link: Link, button: str) -> str:
    """The page after it: one may go back to it, and load it again."""
    answer = browser().post(url(link), {"do": button})
    assert answer.status_code == 303
    return said(browser().get(answer["Location"]))


def said(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_it_works(ann: Recipient, tenant: Tenant, content_type: str) -> None:
    """RFC 8058, section 3.2: either encoding, no cookies, no redirect; and it may be repeated."""
    link = link_for(ann, tenant)
    if content_type == "multipart/form-data":
        body = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
        content_type += "; boundary=b"
    else:
        body = b"List-Unsubscribe=One-Click"
    for _ in range(2):
        answer = browser().post(url(link), body, content_type=content_type)
        assert (answer.status_code, answer.content) == (200, b"Unsubscribed.\n")
        assert not answer.cookies
        assert not look(link).is_on
    assert Preference.objects.count() == 1
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"", "text/plain"), (b"x", "multipart/form-data; boundary")]
)
def test_a_post_that_says_little_unsubscribes_all_the_same(
    ann: Recipient, tenant: Tenant, body: bytes, content_type: str
) -> None:
    link = link_for(ann, tenant)
    assert browser().post(url(link), body, content_type=content_type).status_code == 200
    assert not look(link).is_on


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(ann: Recipient, tenant: Tenant, method: str) -> None:
    """Mail filters follow links."""
    link = link_for(ann, tenant)
    assert getattr(browser(), method)(url(link)).status_code == 200
    assert look(link).is_on


def test_a_person_unsubscribes_and_comes_back(ann: Recipient, tenant: Tenant) -> None:
    link = link_for(ann, tenant)
    page = said(browser().get(url(link)))
    assert "You get “News and offers” from Ann&#x27;s Shop by email." in page
    assert "a•••@example.com" in page
    assert "ann@example.com" not in page
    assert f"/preferences/{seal(link)}" in page

    assert "You are unsubscribed" in press(link, "leave")
    assert not look(link).is_on

    assert "You are subscribed again" in press(link, "come_back")
    assert look(link).is_on


def test_what_was_switched_on_for_one_template_is_off_too(ann: Recipient, tenant: Tenant) -> None:
    create_template(tenant, "sale", category="marketing")
    create_template(tenant, "order", category="transactional")
    on = {"email": True}
    switches.replace(ann, switches.Switches(templates={"sale": on, "order": on}))
    browser().post(url(link_for(ann, tenant)), ONE_CLICK)
    assert switches.stored(ann).templates == {"order": on}


def test_a_stranger_is_not_written_to_any_more(tenant: Tenant) -> None:
    link = link_for(None, tenant)
    page = said(browser().get(url(link)))
    assert "writes to <bdi>a•••@example.com</bdi> by email" in page
    assert "/preferences/" not in page, "nothing is stored of them"
    browser().post(url(link), ONE_CLICK)
    assert Suppression.objects.get().reason == "unsubscribed"
    assert "You are subscribed again" in press(link, "come_back")
    assert not Suppression.objects.exists()


def test_an_old_link_still_unsubscribes_and_opens_no_settings(ann: Recipient, tenant: Tenant) -> None:
    link = link_for(ann, tenant, until=timezone.now() - dt.timedelta(days=900))
    assert "/preferences/" not in said(browser().get(url(link)))
    assert browser().post(url(link), ONE_CLICK).status_code == 200
    assert not look(link).is_on


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("token", ["x", "A" * 112, "é", "A" * 3000])
def test_what_is_no_link_is_not_found(method: str, token: str) -> None:
    answer = getattr(browser(), method)(f"/unsubscribe/{token}")
    assert answer.status_code == 404
    assert "This link does not work" in said(answer)


def test_a_link_for_settings_leaves_nothing(ann: Recipient, tenant: Tenant) -> None:
    link = link_for(ann, tenant, category="", channel="", address="")
    assert browser().post(url(link), ONE_CLICK).status_code == 404
    assert not Preference.objects.exists()


def test_a_tenant_that_is_gone_has_no_links(ann: Recipient, tenant: Tenant) -> None:
    link = link_for(ann, tenant)
    tenant.delete()
    assert browser().post(url(link), ONE_CLICK).status_code == 404


def test_other_methods_are_refused(ann: Recipient, tenant: Tenant) -> None:
    answer = browser().put(url(link_for(ann, tenant)))
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")


def test_the_address_is_kept_to_the_page(ann: Recipient, tenant: Tenant) -> None:
    for answer in (
        browser().get(url(link_for(ann, tenant))),
        browser().post(url(link_for(ann, tenant)), ONE_CLICK),
        browser().get("/unsubscribe/x"),
    ):
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "no-store"
        assert "noindex" in answer["X-Robots-Tag"]
        assert not answer.cookies
    policy = browser().get(url(link_for(ann, tenant)))["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


@pytest.mark.parametrize(
    ("own", "header", "query", "expected"),
    [
        ("de-AT", "en", "", "Abmelden?"),
        ("", "fr, de;q=0.8, en;q=0.5", "", "Abmelden?"),
        ("", "en-GB", "", "Unsubscribe?"),
        ("de", "", "?lang=en", "Unsubscribe?"),
        ("fr", "", "", "Unsubscribe?"),
        ("", "x" * 600, "?lang=../../etc", "Unsubscribe?"),
    ],
)
def test_it_speaks_the_persons_language(
    tenant: Tenant, own: str, header: str, query: str, expected: str
) -> None:
    link = link_for(create_recipient(tenant, locale=own), tenant)
    answer = Client(headers={"Accept-Language": header}).get(url(link) + query)
    assert expected in said(answer)


def test_it_may_be_asked_so_often_a_minute(ann: Recipient, tenant: Tenant, settings: Settings) -> None:
    settings.PREFERENCE_PAGES_PER_MINUTE = 2
    statuses = [browser().get(url(link_for(ann, tenant))).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert browser().get(url(link_for(ann, tenant)))["Retry-After"].isdecimal()
    assert browser().get(url(link_for(create_recipient(tenant), tenant))).status_code == 200, "others may"
    assert [browser().get(f"/unsubscribe/{n}").status_code for n in range(3)] == [404, 404, 429]


def test_no_log_holds_a_token(ann: Recipient, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    assert asgi.application is not None, "it filters what the web process writes"
    caplog.handler.setFormatter(LineFormatter())
    caplog.set_level(logging.DEBUG)
    link = link_for(ann, tenant, category="")
    browser().get(url(link))
    assert "/unsubscribe/…" in caplog.text
    assert seal(link) not in caplog.text
