"""The hosted pages in a real Chromium: on a phone, by the keyboard, with and without scripts.

Screenshots are left in `SHOTS`, a folder, where that is set.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from notifications.tests.web import chromium, web_process
from preferences.categories import create_default_categories
from preferences.links import Link, seal
from preferences.models import Category, Device, Recipient
from preferences.tests.factories import create_recipient
from templates_app.models import Brand
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 568}  # WCAG 1.4.10: nothing is to be scrolled sideways
DESK = {"width": 1280, "height": 900}
SAVED = "Saved."


@pytest.fixture
def ann(transactional_db: None) -> Recipient:
    tenant = create_tenant(name="Ann's Shop")
    create_default_categories(tenant)
    Category.objects.create(tenant=tenant, code="recall", name="Product recalls", is_critical=True)
    Brand.objects.create(tenant=tenant, primary_color="#0f766e")
    ann = create_recipient(tenant, external_id="ann", email="ann@example.com")
    Device.objects.create(tenant=tenant, recipient=ann, token="phone", platform="ios")
    Device.objects.create(tenant=tenant, recipient=ann, token="browser", platform="web")
    return ann


@pytest.fixture(scope="module")
def address(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One web process for all, on the tests' database."""
    log = tmp_path_factory.mktemp("web") / "log"
    with web_process(log, DEBUG="true", PREFERENCE_PAGES_PER_MINUTE="1000") as address:
        yield f"http://{address}"
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def browser(token: str) -> Iterator[Browser]:
    """Last: Playwright keeps a loop running in this thread, where Django takes no query."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False) as browser,
    ):
        yield browser


@pytest.fixture
def token(ann: Recipient) -> str:
    """As it stands in a mail of marketing."""
    until = timezone.now() + dt.timedelta(days=60)
    return seal(Link(ann.tenant_id, ann.pk, until, "email", "marketing", "ann@example.com"))


@pytest.fixture
def open_page(browser: Browser, address: str, token: str) -> Iterator[Callable[..., Page]]:
    """A page by its path and what the context is to be like; it must load nothing that is not ours."""
    strangers: list[str] = []

    def opened(path: str = "preferences", **context: Any) -> Page:
        page = browser.new_context(**{"viewport": PHONE, **context}).new_page()
        page.on("request", lambda request: strangers.append(request.url))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{address}/{path}/{token}")
        return page

    errors: list[str] = []
    yield opened
    assert not [url for url in strangers if not url.startswith(address)]
    assert errors == []


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def switch(page: Page, group: str, name: str) -> Locator:
    return page.get_by_role("group", name=group).get_by_role("switch", name=name)


def tab_to(page: Page, target: Locator) -> None:
    """By the keyboard alone, as somebody without a mouse gets there."""
    for _ in range(80):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not lead there")


def assert_for_everybody(page: Page) -> None:
    """https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md"""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"


@pytest.mark.parametrize("scripts", [True, False])
def test_it_works(open_page: Callable[..., Page], scripts: bool) -> None:
    """Set by the keyboard, saved, said, and there again."""
    page = open_page(java_script_enabled=True) if scripts else open_page(java_script_enabled=False)
    email, news = switch(page, "Channels", "Text message"), switch(page, "News and offers", "Email")
    expect(email).to_be_checked()
    if scripts:
        for one in (email, news):
            tab_to(page, one)
            page.keyboard.press("Space")
        tab_to(page, page.get_by_role("button", name="Save"))
        page.keyboard.press("Enter")
    else:
        email.uncheck()
        news.uncheck()
        page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Text message: off")
    expect(page.get_by_role("status")).to_contain_text("News and offers, Email: off")
    page.reload()
    if scripts:
        expect(page.get_by_role("status")).to_be_empty()
    expect(switch(page, "Channels", "Text message")).not_to_be_checked()
    expect(switch(page, "News and offers", "Email")).not_to_be_checked()
    expect(switch(page, "Alerts", "Email")).to_be_checked()
    expect(switch(page, "Alerts", "Text message")).not_to_be_checked()


def test_what_cannot_be_is_said(open_page: Callable[..., Page]) -> None:
    """Hours that leave no time at all: the browser lets them pass, the rules do not."""
    page = open_page()
    page.get_by_role("switch", name="Hold what would ring").check()
    page.get_by_role("textbox", name="From").fill("07:00")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This could not be saved.")
    shot(page, "preferences-refused")


def test_what_was_saved_is_said_without_leaving(open_page: Callable[..., Page]) -> None:
    """The live region stays the same one, or nobody would hear of its change."""
    page = open_page()
    page.evaluate("window.stayed = document.getElementById('said')")
    page.get_by_role("button", name="Remove iPhone").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Removed: iPhone or iPad")
    assert page.evaluate("window.stayed === document.getElementById('said')")
    assert page.evaluate("document.activeElement.id") == "said", "the button is gone with its device"
    expect(page.get_by_role("button", name="Remove")).to_have_count(1)
    page.get_by_role("button", name="Unsubscribe from everything").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("nothing but what is essential")
    expect(page.get_by_role("switch", checked=True)).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_in_a_mail_asks_before_it_unsubscribes(open_page: Callable[..., Page], scripts: bool) -> None:
    page = open_page("unsubscribe", java_script_enabled=scripts)
    expect(page.get_by_role("heading", name="Unsubscribe?")).to_be_visible()
    page.get_by_role("button", name="Unsubscribe").press("Enter")
    expect(page.get_by_role("status")).to_have_text("You are unsubscribed")
    page.get_by_role("link", name="All notification settings").click()
    expect(switch(page, "News and offers", "Email")).not_to_be_checked()
    page.go_back()
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_role("status")).to_have_text("You are subscribed again")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "de"])
def test_everybody_can_use_it(open_page: Callable[..., Page], scheme: str, locale: str) -> None:
    page = open_page(color_scheme=scheme, locale=locale)
    assert_for_everybody(page)
    shot(page, f"preferences-phone-{scheme}-{locale}")
    page.locator("summary").click()
    page.locator("[name='max:email']").fill("3")
    page.locator("[name=quiet]").check()
    page.locator("[name=do][value=save]").click()
    expect(page.get_by_role("status")).not_to_be_empty()
    page.locator("[name=how_long][value=tomorrow]").click()
    expect(page.locator("[name=how_long][value=end]")).to_be_visible()
    page.get_by_role("switch").first.uncheck()
    page.locator("[name=do][value=save]").click()
    assert_for_everybody(page)
    shot(page, f"preferences-saved-{scheme}-{locale}")
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]  # a TypedDict of theirs
    assert_for_everybody(page)
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    shot(page, f"preferences-desk-{scheme}-{locale}")
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert_for_everybody(page)
    shot(page, f"preferences-rtl-{scheme}-{locale}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_leave(open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page("unsubscribe", color_scheme=scheme)
    assert_for_everybody(page)
    shot(page, f"unsubscribe-ask-{scheme}")
    page.locator("[value=leave]").click()
    assert_for_everybody(page)
    shot(page, f"unsubscribe-done-{scheme}")
