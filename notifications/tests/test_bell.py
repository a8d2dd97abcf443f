"""The demo's bell, in a real Chromium before a real web process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Locator, Page, expect, sync_playwright

from delivery import loop
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import chromium, web_process
from preferences.categories import create_default_categories
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OLD, NEW = "Your order is on its way", "Hi Ann"


@pytest.fixture
def ann(transactional_db: None) -> Recipient:
    """The demo's recipient, who has one unread notification and can be sent another."""
    tenant = create_tenant(slug="demo")
    create_default_categories(tenant)
    create_published(tenant, Draft("in_app", "en", {"title": "Hi {{ name }}"}))
    ann = create_recipient(tenant, external_id="ann")
    tell(ann, new_item(ann, title=OLD))
    return ann


@pytest.fixture
def page(ann: Recipient, tmp_path: Path) -> Iterator[Page]:
    log = tmp_path / "log"
    with (
        web_process(log, DEMO="true") as address,
        sync_playwright() as playwright,
        # Its sandbox needs user namespaces, which root and many containers do not have.
        playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False) as browser,
    ):
        page = browser.new_page()
        page.goto(f"http://{address}/")
        expect(badge(page)).to_have_text("1")
        yield page
    assert "Traceback" not in log.read_text(), log.read_text()


def beside_playwright(work: Callable[[], object]) -> None:
    """Run it in another thread: Playwright keeps a loop running in this one, where Django takes no query."""

    def run() -> None:
        try:
            work()
        finally:
            loop.close()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def badge(page: Page) -> Locator:
    return page.locator("carillon-bell .badge")


def unread(page: Page) -> Locator:
    return page.locator("carillon-feed .unread .title")


def test_it_works(page: Page, drain: Callable[[], list[str]]) -> None:
    expect(badge(page)).to_have_text("1")
    expect(unread(page)).to_have_text([OLD])

    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Accepted.")).to_be_visible()
    beside_playwright(drain)
    expect(badge(page)).to_have_text("2")
    expect(unread(page)).to_have_text([NEW, OLD])

    page.get_by_role("article", name=OLD).get_by_role("button", name="Mark as read").click()
    expect(badge(page)).to_have_text("1")
    expect(unread(page)).to_have_text([NEW])
    expect(page).to_have_title("(1) Larkspur")
