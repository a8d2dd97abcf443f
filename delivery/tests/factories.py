"""Accounts that point at a sandbox."""

from __future__ import annotations

from itertools import count
from typing import Any

from delivery.accounts import set_settings
from delivery.models import ProviderAccount
from sandbox.testing import RunningSandbox
from tenants.models import Tenant

_number = count(1)


def create_account(
    tenant: Tenant | None, channel: str, provider: str, settings: dict[str, Any], **over: Any
) -> ProviderAccount:
    name = f"{provider}-{next(_number)}"
    account = ProviderAccount(tenant=tenant, name=name, channel=channel, provider=provider)
    for field, value in over.items():
        setattr(account, field, value)
    set_settings(account, settings)
    account.save()
    return account


def create_twilio(tenant: Tenant | None, sandbox: RunningSandbox, **over: Any) -> ProviderAccount:
    settings = {
        "account_sid": f"AC{next(_number):032d}",
        "auth_token": "twilio-token",
        "sender": "+15005550006",
        "base_url": sandbox.http_url,
    }
    return create_account(tenant, "sms", "twilio", settings, **over)


def create_smtp(tenant: Tenant | None, sandbox: RunningSandbox, **over: Any) -> ProviderAccount:
    settings = {
        "host": "127.0.0.1",
        "port": sandbox.smtp_port,
        "security": "none",
        "sender": "Shop <hello@shop.example>",
    }
    return create_account(tenant, "email", "smtp", settings, **over)
