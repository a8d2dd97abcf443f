"""What a service says, in short."""

from __future__ import annotations

from typing import Any

from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.tests.factories import create_published, create_template
from tenants.models import Tenant
from tenants.tests.factories import Api

NOTIFICATIONS = "/api/v1/services/notifications"
CONTENT = {"subject": "Your order A-17", "body": "It is on its way.", "html": "<p>It is on its way.</p>"}


def a_notification(**over: Any) -> dict[str, Any]:
    return {"recipient": "ann", "content": CONTENT, "channels": ["email"], **over}


def send(service: Api, **over: Any) -> Any:
    answer = service.post(f"{NOTIFICATIONS}/send", a_notification(**over))
    assert answer.status_code == 202, answer.json()
    return answer.json()


def look(service: Api, id: str) -> Any:
    answer = service.get(f"{NOTIFICATIONS}/{id}")
    assert answer.status_code == 200, answer.json()
    return answer.json()


def a_template(tenant: Tenant, code: str = "greeting") -> TemplateVersion:
    """Published for email and SMS; it needs `name`."""
    email = Draft(
        "email",
        "en",
        {"subject": "Hello {{ name }}", "body": "Hello {{ name }}", "html": "<p>{{ name }}</p>"},
    )
    sms = Draft("sms", "en", {"body": "Hello {{ name }}"})
    return create_published(tenant, email, sms, template=create_template(tenant, code))
