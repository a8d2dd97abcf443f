"""The editor of a draft, in a real Chromium before a real web process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Locator, Page, expect, sync_playwright

from notifications.tests.web import chromium, web_process
from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.tests.factories import create_version
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MAIL = Draft("email", "en", {"subject": "Hi {{ name }}", "html": "<p>Hi {{ name }}</p>\n<p>Bye</p>"})
SMS = Draft("sms", "en", {"body": "Hi {{ name }}"})


@pytest.fixture
def draft(transactional_db: None) -> TemplateVersion:
    return create_version(create_tenant(), MAIL, SMS)


@pytest.fixture
def page(draft: TemplateVersion, admin_client: Client, tmp_path: Path) -> Iterator[Page]:
    log, session = tmp_path / "log", admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    with (
        web_process(log, DEBUG="true") as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False) as browser,
    ):
        context = browser.new_context(viewport={"width": 1600, "height": 1000})
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": f"http://{address}"}
        context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict of theirs
        page = context.new_page()
        page.goto(f"http://{address}/admin/templates_app/templateversion/{draft.pk}/change/")
        yield page
    assert "Traceback" not in log.read_text(), log.read_text()


def source(page: Page, place: int, part: str) -> Locator:
    return page.locator(f"#id_contents-{place}-{part}")


def marked(textarea: Locator) -> Locator:
    """The lines that are marked as wrong."""
    return textarea.locator("xpath=..").locator("pre > .e-error")


def test_it_works(page: Page) -> None:
    mail = page.frame_locator(".p-phone-frame.p-light-frame iframe")
    expect(mail.get_by_text("Hi Ann")).to_be_visible()

    page.get_by_text("email · en").click()
    html = source(page, 0, "html")
    html.fill("<p>Dear {{ name }}</p>\n<p>{{ nobody }}</p>")
    expect(page.get_by_role("alert")).to_contain_text("missing_variable in html, line 2")
    expect(marked(html)).to_have_text("<p>{{ nobody }}</p>")
    expect(page.locator("#id_contents-0-html-problems")).to_have_text("Line 2: nobody is not in the data.")

    html.press("Control+End")
    for _ in "{{ nobody }}</p>":
        html.press("Backspace")
    expect(mail.get_by_text("Dear Ann")).to_be_visible()
    expect(marked(html)).to_have_count(0)

    page.get_by_text("sms · en").click()
    expect(page.locator(".l-shown .p-bubble")).to_have_text("Hi Ann")
    source(page, 1, "body").fill("Hi “{{ name }}”")
    expect(page.locator(".l-shown")).to_contain_text("UCS-2, 1 part")

    html.fill("a\n\n{% if %}")
    source(page, 1, "body").focus()
    page.get_by_text("email · en").click()
    expect(html).to_be_hidden()
    source(page, 1, "body").focus()
    expect(page.locator(".l-head")).to_contain_text("sms")
    page.get_by_text("more in this version").click()
    page.get_by_role("button", name="html, line 3").click()
    expect(html).to_be_focused()


def test_the_keyboard_indents_leaves_and_saves(page: Page) -> None:
    page.get_by_text("sms · en").click()
    body = source(page, 1, "body")
    body.fill("a\nb")
    body.press("Control+a")
    body.press("Tab")
    expect(body).to_have_value("  a\n  b")
    body.press("Shift+Tab")
    expect(body).to_have_value("a\nb")
    body.press("Escape")
    body.press("Tab")
    expect(body).not_to_be_focused()
    body.press("Control+s")
    page.wait_for_url("**/change/")
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_a_phone_shows_one_after_the_other(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".l-live")).to_be_hidden()
    page.get_by_role("group", name="What is shown").get_by_role("button", name="Preview").click()
    expect(page.locator(".l-live")).to_be_visible()
    expect(page.locator("#templateversion_form")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
