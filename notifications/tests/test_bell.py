"""The bell, the feed and the preferences, in a real Chromium before a real web process.

Screenshots are left in `SHOTS`, a folder, where that is set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from config.embedded.valkey import free_port
from delivery import loop
from notifications.models import FeedItem
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import chromium, site, wait_until, web_process
from preferences.categories import create_default_categories
from preferences.models import Category, Preference, Recipient
from preferences.tests.factories import create_recipient
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published
from tenants.authentication import mint_recipient_token
from tenants.context import tenant_scope
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OLD, NEW = "Your order is on its way", "Hi Ann"
PHONE: Any = {"width": 390, "height": 844}
DESK: Any = {"width": 1280, "height": 900}
PATIENT = 20_000  # ms; longer than a client waits before it tries again


@pytest.fixture
def ann(transactional_db: None) -> Recipient:
    """The demo's recipient, who has one unread notification and can be sent another."""
    tenant = create_tenant(slug="demo")
    create_default_categories(tenant)
    create_published(tenant, Draft("in_app", "en", {"title": "Hi {{ name }}"}))
    ann = create_recipient(tenant, external_id="ann", email="ann@example.com", phone="+12025550143")
    tell(ann, new_item(ann, title=OLD))
    return ann


class Server:
    """A web process on the tests' database, that can go away and come back to the same address."""

    def __init__(self, log: Path) -> None:
        self.log, self.port = log, free_port()
        self.running: AbstractContextManager[str] | None = None

    def start(self) -> None:
        self.running = web_process(self.log, self.port, DEMO="true", DEBUG="true")
        self.running.__enter__()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def stop(self) -> None:
        assert self.running is not None
        self.running.__exit__(None, None, None)
        assert "Traceback" not in self.log.read_text(), self.log.read_text()


@pytest.fixture(scope="module")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("web") / "log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def browser(ann: Recipient) -> Iterator[Browser]:
    """Last: Playwright keeps a loop running in this thread, where Django takes no query."""
    with (
        sync_playwright() as playwright,
        # Its sandbox needs user namespaces, which root and many containers do not have.
        playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False) as browser,
    ):
        yield browser


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """A page by its path, in what the context is to be like; no script and no style of it may be refused."""
    errors: list[str] = []

    def opened(path: str = "/", unread: int = 1, **context: Any) -> Page:
        page = browser.new_context(**{"viewport": DESK, "locale": "en-US", **context}).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
        page.goto(f"http://127.0.0.1:{server.port}{path}")
        expect(badge(page)).to_have_text(str(unread))
        return page

    yield opened
    assert errors == []


def beside_playwright(work: Callable[..., object], *args: Any) -> None:
    """Run it in another thread: Playwright keeps a loop running in this one, where Django takes no query."""

    def run() -> None:
        try:
            work(*args)
        finally:
            loop.close()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def tell_of(ann: Recipient, *titles: str, **fields: Any) -> None:
    beside_playwright(tell, ann, *(new_item(ann, title=title, **fields) for title in titles))


def badge(page: Page) -> Locator:
    return page.locator("carillon-bell [part=badge]")


def titles(page: Page, element: str = "carillon-feed") -> Locator:
    return page.locator(f"{element} article [part=item-title]")


def unread(page: Page) -> Locator:
    return page.locator("carillon-feed .unread [part=item-title]")


def focused(page: Page) -> str:
    """The text of what has the focus, through shadow roots."""
    script = (
        "() => { let at = document.activeElement; while (at.shadowRoot) at = at.shadowRoot.activeElement;"
    )
    return str(page.evaluate(script + " return at.ariaLabel ?? at.textContent }"))


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_it_works(open_page: Callable[..., Page], drain: Callable[[], list[str]]) -> None:
    """Two tabs stay in step: what comes, and what is done with it."""
    page, other = open_page(), open_page("/notifications/")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Accepted.")).to_be_visible()
    beside_playwright(drain)
    for tab in (page, other):
        expect(badge(tab)).to_have_text("2")
        expect(unread(tab)).to_have_text([NEW, OLD])
    expect(page.locator("[part=toast]")).to_have_count(1)

    article = page.get_by_role("article", name=OLD)
    article.get_by_role("button", name="Mark as read").click()
    for tab in (page, other):
        expect(unread(tab)).to_have_text([NEW])
        expect(tab).to_have_title(re.compile(r"^\(1\) [LN]"))
    article.get_by_role("button", name="Archive").click()
    expect(titles(other)).to_have_text([NEW])
    other.get_by_role("button", name="Archive", exact=True).first.click()
    expect(titles(other)).to_have_text([OLD])
    other.get_by_role("button", name="Take out of the archive").click()
    expect(titles(page)).to_have_text([NEW, OLD])
    page.locator("carillon-feed").get_by_role("button", name="Mark all as read").click()
    expect(badge(other)).to_be_hidden()
    page.get_by_role("article", name=NEW).get_by_role("button", name="Delete").click()
    other.locator("carillon-feed").get_by_role("button", name="All", exact=True).click()
    expect(titles(other)).to_have_text([OLD])


def test_nothing_is_lost_while_the_server_is_away(
    open_page: Callable[..., Page], server: Server, ann: Recipient
) -> None:
    page = open_page()
    page.evaluate("addEventListener('carillon-new', (e) => (window.came ??= []).push(e.detail.title), true)")
    with server.away():
        expect(page.locator("carillon-feed [part=news]")).to_be_visible()
        tell_of(ann, "one", "two", "three")
    expect(badge(page)).to_have_text("4", timeout=PATIENT)
    expect(titles(page)).to_have_text(["three", "two", "one", OLD])
    expect(page.locator("[part=toast] [part=item-title]")).to_have_text(["one", "two", "three"])
    # Bell and feed both tell of what came, each of each once.
    assert sorted(page.evaluate("window.came")) == sorted(["one", "two", "three"] * 2)


def test_it_wakes(open_page: Callable[..., Page], ann: Recipient) -> None:
    """Without a network, and frozen as a laptop that is closed."""
    page = open_page()
    page.context.set_offline(True)
    expect(page.locator("carillon-feed [part=news]")).to_be_visible(timeout=PATIENT)
    tell_of(ann, "while offline")
    page.context.set_offline(False)
    expect(titles(page)).to_have_text(["while offline", OLD], timeout=PATIENT)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    tell_of(ann, "while frozen")
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    expect(titles(page)).to_have_text(["while frozen", "while offline", OLD], timeout=PATIENT)
    expect(badge(page)).to_have_text("3")


def test_it_goes_on_without_sockets(
    open_page: Callable[..., Page], browser: Browser, server: Server, ann: Recipient
) -> None:
    """By server-sent events, which bring what came while they too were away."""
    context = browser.new_context()
    context.route_web_socket(re.compile("/ws/notifications/"), lambda socket: socket.close())
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/")
    client = (
        "(({ transport, state }) => [transport, state])(document.querySelector('carillon-bell').client ?? {})"
    )
    wait_until(lambda: page.evaluate(client) == ["stream", "online"], "it is on the stream")
    tell_of(ann, "streamed")
    expect(titles(page)).to_have_text(["streamed", OLD])
    expect(badge(page)).to_have_text("2")
    beside_playwright(wait_until, lambda: _is_told_of(ann, "streamed"), "it told that it has it")
    with server.away():
        expect(page.locator("carillon-feed [part=news]")).to_be_visible()
        tell_of(ann, "missed")
    expect(titles(page)).to_have_text(["missed", "streamed", OLD], timeout=PATIENT)
    expect(page.locator("[part=toast] [part=item-title]").last).to_have_text("missed", timeout=PATIENT)
    expect(badge(page)).to_have_text("3")


def _is_told_of(ann: Recipient, title: str) -> bool:
    """That it came, and was seen."""
    with tenant_scope(ann.tenant_id):
        item = FeedItem.objects.get(recipient_id=ann.pk, title=title)
        return item.delivered_at is not None and item.seen_at is not None


RENEWING = """async () => {
    const { CarillonClient } = await import("/static/carillon/client.js");
    const getToken = async () => {
        const { token } = await (await fetch("/demo/token")).json();
        return { token, expires_at: new Date(Date.now() + 1500).toISOString() };
    };
    const client = new CarillonClient({ getToken });
    window.told = [];
    client.on("state", (state) => told.push(state));
    client.on("frame", ({ type }) => type === "authenticated" && told.push(type));
    client.connect();
}"""


def test_it_shows_the_next_token_in_time(open_page: Callable[..., Page]) -> None:
    """On the connection that is open, which stays."""
    page = open_page()
    page.evaluate(RENEWING)
    wait_until(lambda: page.evaluate("told.length") >= 4, "it was renewed twice")
    assert page.evaluate("told.slice(0, 4)") == ["connecting", "online", "authenticated", "authenticated"]


def test_content_stays_text(open_page: Callable[..., Page], ann: Recipient) -> None:
    """Nothing that a sender writes can run, or lead elsewhere than the web."""
    title = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    action = {"url": "javascript:window.ran = 1", "text": "<b>Go</b>"}
    page = open_page()
    tell_of(ann, title, body="</div><style>*{display:none}</style>", action=action, icon="javascript:1")
    expect(titles(page).first).to_have_text(title)
    expect(page.locator("[part=toast] [part=item-title]")).to_have_text(title)
    expect(page.get_by_role("article", name="script").get_by_role("link")).to_have_count(0)
    assert page.evaluate("window.ran") is None
    link = page.get_by_role("article", name=OLD).get_by_role("link")
    assert link.get_attribute("rel") == "noopener noreferrer"


SHOP = """<!doctype html><title>A shop</title>
<script type="module" src="{server}/static/carillon/carillon.js"></script>
<carillon-bell token-url="/my/token"></carillon-bell><carillon-feed token-url="/my/token"></carillon-feed>
<carillon-preferences token-url="/my/token"></carillon-preferences>"""


def test_it_may_stand_on_a_page_of_another_origin(browser: Browser, server: Server, ann: Recipient) -> None:
    """With a script of ours and an address of theirs that gives the token, and nothing else."""
    token = mint_recipient_token(ann.tenant, "ann", "user")[0]
    answers = {
        "/": ("text/html", SHOP.format(server=f"http://127.0.0.1:{server.port}").encode()),
        "/my/token": ("application/json", orjson.dumps({"token": token, "expires_at": None})),
    }
    with site(answers) as shop:
        page = browser.new_page()
        page.goto(shop)
        expect(badge(page)).to_have_text("1")
        page.get_by_role("article", name=OLD).hover()
        page.locator("carillon-feed").get_by_role("button", name="Mark as read").click()
        expect(badge(page)).to_be_hidden()
        expect(page.get_by_role("switch", name="WhatsApp")).to_be_visible()
        expect(page.get_by_role("switch", name="Push")).to_have_count(0)  # no device of hers is known
        page.get_by_role("switch", name="Text message").press("Space")
        expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
        tell_of(ann, "New here")
        expect(titles(page).first).to_have_text("New here")


def test_a_long_list_comes_as_it_is_scrolled_and_filters_by_topic(
    open_page: Callable[..., Page], ann: Recipient
) -> None:
    """Twenty at a time, and none of them twice."""
    tell_of(ann, *(f"News {number}" for number in range(44)), category="marketing")
    page = open_page("/notifications/", unread=45)
    feed = page.locator("carillon-feed")
    expect(titles(page)).to_have_count(20)
    for count in (40, 45):
        titles(page).last.scroll_into_view_if_needed()
        expect(titles(page)).to_have_count(count)
    assert titles(page).all_text_contents() == [*(f"News {number}" for number in reversed(range(44))), OLD]
    feed.get_by_label("Topic").select_option(label="News and offers")
    expect(titles(page)).to_have_count(20)
    expect(titles(page).first).to_have_text("News 43")
    expect(feed.get_by_role("article", name=OLD)).to_have_count(0)


def test_the_keyboard_is_enough(open_page: Callable[..., Page], ann: Recipient) -> None:
    page = open_page()
    page.context.route("https://shop.example/**", lambda route: route.fulfill(body="The order"))
    tell_of(ann, "second", action=None)
    expect(badge(page)).to_have_text("2")
    for _ in range(10):
        page.keyboard.press("Tab")
        if focused(page) == "Notifications, 2 unread":
            break
    page.keyboard.press("Enter")
    expect(titles(page, "carillon-bell")).to_have_text(["second", OLD])
    expect(page.locator("carillon-bell article").first).to_be_focused()
    page.keyboard.press("r")
    expect(badge(page)).to_have_text("1")
    page.keyboard.press("ArrowDown")
    with page.expect_popup() as opened:
        page.keyboard.press("Enter")
    assert opened.value.url.startswith("https://shop.example/orders/")
    expect(badge(page)).to_be_hidden()
    page.bring_to_front()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")
    expect(titles(page, "carillon-bell")).to_have_text([OLD])
    expect(page.locator("carillon-bell article").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("carillon-bell [part=panel]")).to_be_hidden()
    assert focused(page) == "Notifications"


def test_preferences_are_kept(open_page: Callable[..., Page], ann: Recipient) -> None:
    page = open_page("/notifications/")
    page.evaluate("document.querySelector('carillon-preferences').lang = 'de'")
    page.get_by_role("switch", name="SMS").press("Space")
    expect(page.get_by_role("status").filter(has_text="Gespeichert")).to_be_visible()
    page.get_by_role("checkbox", name="Neues und Angebote, E-Mail").press("Space")
    expect(page.get_by_role("checkbox", name="Neues und Angebote, SMS")).not_to_be_checked()
    page.get_by_role("switch", name="Zurückhalten").press("Space")
    page.get_by_label("Von").fill("21:30")
    page.get_by_role("checkbox", name="Sa", exact=True).press("Space")
    page.get_by_role("button", name="Eine Stunde lang").click()
    expect(page.get_by_text("klingelt nichts.")).to_be_visible()
    page.reload()
    page.evaluate("document.querySelector('carillon-preferences').lang = 'de'")
    expect(page.get_by_role("switch", name="SMS")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Neues und Angebote, E-Mail")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Sa", exact=True)).not_to_be_checked()
    expect(page.get_by_label("Von")).to_have_value("21:30")
    page.get_by_role("button", name="Jetzt beenden").click()
    expect(page.get_by_text("klingelt nichts.")).to_be_hidden()
    beside_playwright(_assert_switches, ann)


def test_only_what_can_be_switched_has_a_switch(open_page: Callable[..., Page], ann: Recipient) -> None:
    rows = (
        {"code": "codes", "name": "Sign-in codes", "is_critical": True},
        {"code": "offers", "name": "Sale", "channels": ["email", "sms"], "defaults": {"sms": False}},
    )
    beside_playwright(
        Category.objects.bulk_create, [Category(tenant_id=ann.tenant_id, **fields) for fields in rows]
    )
    page = open_page("/notifications/")
    expect(page.get_by_text("What comes always: Sign-in codes.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Sign-in codes")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Sale, Email")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Sale, Text message")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Sale, In the app")).to_have_count(0)
    expect(page.get_by_text("a•••@example.com")).to_be_visible()


def _assert_switches(ann: Recipient) -> None:
    with tenant_scope(ann.tenant_id):
        rows = Preference.objects.filter(recipient=ann).values_list("key", "channel", "enabled")
        assert set(rows) == {("", "sms", False), ("marketing", "email", False)}


def assert_for_everybody(page: Page) -> None:
    """https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md"""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"


def test_everybody_can_use_it(open_page: Callable[..., Page], ann: Recipient) -> None:
    pages = {scheme: open_page(color_scheme=scheme) for scheme in ("light", "dark")}
    kinds = ["info", "success", "warning", "error", "system"]
    for kind in kinds:
        tell_of(ann, f"A {kind} to look at", type=kind)
    for scheme, page in pages.items():
        expect(titles(page)).to_have_count(6)
        expect(page.get_by_role("switch")).to_have_count(5)
        page.locator("carillon-bell [part=bell]").click()
        expect(titles(page, "carillon-bell")).to_have_count(6)
        assert_for_everybody(page)
        shot(page, f"bell-{scheme}")
        page.set_viewport_size(PHONE)
        box = page.locator("carillon-bell [part=panel]").bounding_box()
        assert box == {"x": 0, "y": 0, **PHONE}, "a phone shows a sheet"
        shot(page, f"bell-phone-{scheme}")
        page.set_viewport_size(DESK)
        page.evaluate("document.documentElement.dir = 'rtl'; dispatchEvent(new Event('resize'))")
        box = page.locator("carillon-bell [part=panel]").bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= DESK["width"] - box["width"], "it stays in the window"
        shot(page, f"bell-rtl-{scheme}")
        page.goto(page.url + "notifications/")
        expect(page.get_by_role("switch")).to_have_count(5)
        page.set_viewport_size(PHONE)
        assert_for_everybody(page)
        shot(page, f"center-phone-{scheme}")
