"""The demo's page, and that it is the demo's only."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from notifications.models import Notification
from preferences.categories import create_default_categories
from preferences.tests.factories import create_recipient
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published, create_template
from tenants.models import Tenant
from tenants.tests.factories import api, create_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings: Settings) -> Tenant:
    settings.DEMO = True
    tenant = create_tenant(slug="demo")
    create_default_categories(tenant)
    create_recipient(tenant, external_id="ann")
    create_published(tenant, Draft("in_app", "en", {"title": "Hi {{ name }}"}))
    create_template(tenant, "draft-only")
    return tenant


def send(client: Client, **fields: Any) -> Any:
    return client.post("/demo/send", fields)


def test_it_works(client: Client, demo: Tenant) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page["Content-Security-Policy"]
    text = page.content.decode()
    assert '<option value="greeting">Greeting</option>' in text
    assert "draft-only" not in text
    assert 'href="http://127.0.0.1:8025"' in text
    answer = send(client, template="greeting", type="success")
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    told = Notification.objects.get(pk=answer.json()["id"])
    assert (told.tenant, told.recipient_external_id, told.type) == (demo, "ann", "success")
    assert (told.channels, told.data) == (["in_app"], {"name": "Ann"})


def test_it_gives_the_recipients_token(client: Client, demo: Tenant) -> None:
    token = client.get("/demo/token").json()["token"]
    assert api(token).get("/api/v1/users/me/notifications/unread-count").json() == {"count": 0}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"template": "unknown"},
        {"template": "draft-only"},
        {"template": "greeting", "type": "loud"},
        {"template": "greeting", "channel": "pigeon"},
    ],
)
def test_it_says_what_cannot_be_sent(client: Client, demo: Tenant, fields: dict[str, str]) -> None:
    answer = send(client, **fields)
    assert 400 <= answer.status_code < 500
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert not Notification.objects.exists()


def test_it_wants_a_csrf_token(demo: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    assert send(client, template="greeting").status_code == 403
    client.get("/")
    csrf = client.cookies["csrftoken"].value
    assert send(client, template="greeting", csrfmiddlewaretoken=csrf).status_code == 202


def test_it_says_how_to_seed(client: Client, settings: Settings) -> None:
    settings.DEMO = True
    assert "manage.py seed" in client.get("/").content.decode()
    assert client.get("/demo/token").status_code == 404
    assert send(client, template="greeting").status_code == 404


def test_the_notification_centre_is_a_page_of_its_own(client: Client, demo: Tenant) -> None:
    page = client.get("/notifications/")
    assert "default-src 'self'" in page["Content-Security-Policy"]
    for element in ("carillon-bell", "carillon-feed", "carillon-preferences"):
        assert f"<{element} token-url=" in page.content.decode()


@pytest.mark.parametrize("path", ["/", "/notifications/", "/demo/token"])
def test_it_is_not_there_without_demo(client: Client, demo: Tenant, settings: Settings, path: str) -> None:
    assert client.get(path).status_code == 200
    settings.DEMO = False
    assert client.get(path).status_code == 404
    assert send(client).status_code == 404
