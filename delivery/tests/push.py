"""Push accounts that point at a sandbox, and browsers that subscribed there."""

from __future__ import annotations

from typing import Any

import requests

from delivery.models import ProviderAccount
from delivery.tests.factories import create_account
from delivery.tests.providers.google import PROJECT, service_account
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

VAPID_KEY = "dSAMlvkOnHkcfRcJdYzpRsYRcRmcNzY2AhFJfWUvoqM"
"""Nobody's."""


def create_fcm(
    tenant: Tenant | None, sandbox: RunningSandbox, project: str = PROJECT, **over: Any
) -> ProviderAccount:
    settings = {
        "service_account": service_account(project),
        "base_url": f"{sandbox.http_url}/fcm",
        "token_url": f"{sandbox.http_url}/fcm/token",
    }
    return create_account(tenant, "push", "fcm", settings, **over)


def create_webpush(tenant: Tenant | None, key: str = VAPID_KEY, **over: Any) -> ProviderAccount:
    settings = {"private_key": key, "subject": "mailto:push@shop.example"}
    return create_account(tenant, "push", "webpush", settings, **over)


def subscribe(sandbox: RunningSandbox, **given: str) -> str:
    """A browser's subscription; `id` says whose, and `gone` is one that was ended."""
    answer = requests.post(f"{sandbox.http_url}/webpush/subscriptions", json=given, timeout=5)
    answer.raise_for_status()
    return answer.text
