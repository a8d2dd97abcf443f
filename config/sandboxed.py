"""Accounts whose vendor is the sandbox: what each provider's settings have to be for that.

The sandbox takes any credentials, and knows an account by them: faults are set by that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

Settings = Mapping[str, Any]

WEBHOOK_SECRET = "whsec_Y2FyaWxsb24tc2FuZGJveC13ZWJob29r"  # noqa: S105 - the sandbox's own, which everybody knows
VAPID_KEY = "dSAMlvkOnHkcfRcJdYzpRsYRcRmcNzY2AhFJfWUvoqM"
"""Nobody's: browsers that subscribed at the sandbox were told the public half of it."""


def settings_of(channel: str, provider: str, name: str) -> Settings:
    """An account's, by the name that it has here. Raises KeyError for a provider that the sandbox is not."""
    return SETTINGS[channel, provider](name)


def address(channel: str, provider: str, number: int) -> str:
    """One of many recipients' that the sandbox takes for this provider."""
    return (_ADDRESSES.get(provider) or _ADDRESSES[channel])(number)


def account_sid(name: str) -> str:
    """The sid by which the sandbox knows a seeded Twilio account: 34 characters, as all of Twilio's."""
    return ("AC" + name.replace("-", "")).ljust(34, "0")


def _host() -> str:
    return urlsplit(settings.SANDBOX_URL).hostname or ""


def _smtp(name: str) -> Settings:
    """The user name is what the sandbox calls the account."""
    return {
        "host": _host(),
        "port": settings.SANDBOX_SMTP_PORT,
        "username": name,
        "password": "sandbox",
        "security": "none",
        "sender": "Demo Shop <hello@demo.example>",
    }


def _twilio(name: str) -> Settings:
    return {
        "account_sid": account_sid(name),
        "auth_token": f"sandbox-{name}",
        "sender": "+15005550006",
        "base_url": settings.SANDBOX_URL,
    }


def _smpp(name: str) -> Settings:
    return {
        "host": _host(),
        "port": settings.SANDBOX_SMPP_PORT,
        "system_id": name[:15],
        "password": "sandbox",
        "sender": "+15005550006",
    }


def _sns(name: str) -> Settings:
    return {
        "access_key_id": ("AKIA" + name.replace("-", "").upper()).ljust(20, "0"),
        "secret_access_key": "sandbox",
        "region": "eu-central-1",
        "sender": "DemoShop",
        "base_url": f"{settings.SANDBOX_URL}/sns",
    }


def _http_gateway(name: str) -> Settings:
    url = f"{settings.SANDBOX_URL}/gateway"
    return {
        "url": f"{url}/messages",
        "headers": {"X-Api-Key": "{secret}"},
        "secret": name,
        "sender": "DemoShop",
        "message_id": "id",
        "check_url": f"{url}/balance",
    }


def _fcm(name: str) -> Settings:
    url = settings.SANDBOX_URL
    return {
        "service_account": _service_account(),
        "base_url": f"{url}/fcm",
        "token_url": f"{url}/fcm/token",
    }


@cache
def _service_account() -> str:
    """https://cloud.google.com/iam/docs/keys-create-delete"""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    document = {
        "type": "service_account",
        "project_id": "demo",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "carillon@demo.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return orjson.dumps(document).decode()


def _webpush(name: str) -> Settings:
    return {"private_key": VAPID_KEY, "subject": "mailto:push@demo.example"}


def _slack_bot(name: str) -> Settings:
    return {"token": f"xoxb-{name}", "base_url": f"{settings.SANDBOX_URL}/slack/api"}


def _slack_webhook(name: str) -> Settings:
    return {"base_url": f"{settings.SANDBOX_URL}/slack"}


def _discord(name: str) -> Settings:
    return {"base_url": f"{settings.SANDBOX_URL}/discord", "username": "Demo Shop"}


def _webhook(name: str) -> Settings:
    return {"secrets": WEBHOOK_SECRET}


def _esp(path: str, **own: Any) -> Callable[[str], Settings]:
    """A mail service's, whose own fields hold `{}` where the account's name is to stand."""

    def settings_of_esp(name: str) -> Settings:
        filled = {field: value.format(name) for field, value in own.items()}
        url = f"{settings.SANDBOX_URL}/{path}"
        return {**filled, "sender": "Demo Shop <hello@demo.example>", "base_url": url}

    return settings_of_esp


SETTINGS: Mapping[tuple[str, str], Callable[[str], Settings]] = {
    ("email", "smtp"): _smtp,
    ("email", "sendgrid"): _esp("sendgrid/v3/", api_key="SG.{}.sandbox"),
    ("email", "amazon_ses"): _esp(
        "ses",
        region="eu-central-1",
        access_key_id="AKIA{}",
        secret_access_key="sandbox",  # noqa: S106
    ),
    ("email", "mailgun"): _esp("mailgun/v3/", api_key="key-{}", domain="mg.demo.example"),
    ("email", "postmark"): _esp("postmark/", server_token="{}"),  # noqa: S106
    ("email", "brevo"): _esp("brevo/v3/", api_key="xkeysib-{}"),
    ("email", "resend"): _esp("resend/", api_key="re_{}"),
    ("sms", "twilio"): _twilio,
    ("sms", "smpp"): _smpp,
    ("sms", "sns"): _sns,
    ("sms", "http"): _http_gateway,
    ("push", "fcm"): _fcm,
    ("push", "webpush"): _webpush,
    ("slack", "slack_bot"): _slack_bot,
    ("slack", "slack_webhook"): _slack_webhook,
    ("discord", "discord_webhook"): _discord,
    ("webhook", "standard_webhook"): _webhook,
}

_ADDRESSES: Mapping[str, Callable[[int], str]] = {
    "email": lambda number: f"person-{number}@shop.example",
    "sms": lambda number: f"+1202555{number:04d}",
    "whatsapp": lambda number: f"+1202555{number:04d}",
    "fcm": lambda number: f"token-{number}",
    "slack_bot": lambda number: f"C{number:09d}",
    "slack_webhook": lambda number: f"{settings.SANDBOX_URL}/slack/services/T0/B0/{number}",
    "discord": lambda number: f"{settings.SANDBOX_URL}/discord/api/webhooks/{number}/open",
    "webhook": lambda number: f"{settings.SANDBOX_URL}/hooks/{number}",
}
