"""One-click unsubscribe from end to end: a mail, the button of its reader's program, and no mail after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pytest_django.fixtures import Settings

from config.embedded.valkey import free_port
from delivery.tests.factories import create_smtp
from notifications.tests.calls import look, send
from notifications.tests.web import web_process
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _web(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Where the links in mails lead."""
    port = free_port()
    settings.PUBLIC_URL = f"http://127.0.0.1:{port}"
    with web_process(tmp_path / "log", port):
        yield


@pytest.mark.usefixtures("_web")
def test_it_works(
    tenant: Tenant, service: Api, sandbox: RunningSandbox, drain: Callable[[], list[str]]
) -> None:
    create_smtp(tenant, sandbox)

    def outcome_of(category: str) -> tuple[str, str]:
        id = send(service, category=category)["id"]
        drain()
        seen = look(service, id)
        return seen["status"], seen["reason"]

    assert outcome_of("marketing") == ("sent", "")
    (mail,) = sandbox.messages()
    pressed = requests.post(f"{sandbox.http_url}/api/messages/{mail['id']}/unsubscribe", timeout=10).json()
    assert (pressed["status"], pressed["answer"]) == (200, "Unsubscribed.")
    assert outcome_of("marketing") == ("suppressed", "category_off")
    assert outcome_of("transactional") == ("sent", ""), "the rest goes on"
