"""A browser's own EventSource before a real web process: it comes again by itself, and misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, sync_playwright
from pytest_django.fixtures import Settings

from config.embedded.valkey import free_port
from notifications.tests.event_source import PATH
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import chromium, web_process
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_LISTEN = """
(url) => {
  const stream = new EventSource(url);
  window.heard = [];
  window.state = () => stream.readyState;
  for (const type of ["connected", "notification:new", "close"]) {
    stream.addEventListener(type, (event) => heard.push([type, event.lastEventId, JSON.parse(event.data)]));
  }
}
"""
CLOSED = 2  # EventSource.CLOSED: it will not come again


def beside_playwright(job: Callable[..., object], *args: Any) -> None:
    """Playwright keeps a loop running in this thread, where Django takes no query."""

    def run() -> None:
        try:
            job(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def listen(page: Page, address: str, token: str) -> None:
    """From a page of another origin, as those of tenants are. A public one may not ask this machine."""
    page.goto(f"http://localhost:{address.partition(':')[2]}/health")
    page.evaluate(_LISTEN, f"http://{address}{PATH}?token={token}")
    page.wait_for_function("heard.length === 1")


def numbers(page: Page) -> list[int]:
    heard = page.evaluate("heard.filter(([type]) => type === 'notification:new')")
    return [data["seq"] for _, id, data in heard if id == str(data["seq"])]


def test_it_goes_on_where_it_was_and_stops_when_the_token_expires(tmp_path: Path, settings: Settings) -> None:
    ann, port = create_recipient(create_tenant()), free_port()
    token, _ = mint_recipient_token(ann.tenant, ann.external_id, ann.type)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False)
        page, other = browser.new_page(), browser.new_page()
        with web_process(tmp_path / "one", port) as web:
            listen(page, web, token)
            beside_playwright(tell_two, ann)
            page.wait_for_function("heard.length === 3")
        beside_playwright(tell_two, ann)
        with web_process(tmp_path / "two", port) as web:
            page.wait_for_function("heard.filter(([type]) => type === 'notification:new').length === 4")
            assert numbers(page) == [1, 2, 3, 4]
            settings.RECIPIENT_TOKEN_SECONDS = 3
            short, _ = mint_recipient_token(ann.tenant, ann.external_id, ann.type)
            listen(other, web, short)
            other.wait_for_function(f"state() === {CLOSED}")
            assert other.evaluate("heard.at(-1)[2]") == {"code": 4401}
        browser.close()


def tell_two(recipient: Recipient) -> None:
    tell(recipient, new_item(recipient), new_item(recipient))
