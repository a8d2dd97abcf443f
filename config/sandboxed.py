"""Accounts whose vendor is the sandbox: what each provider's settings have to be for that.

The sandbox takes any credentials, and knows an account by them: faults are set by that name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

Settings = Mapping[str, Any]
_direct = build_opener(ProxyHandler({}))  # the sandbox is not behind the proxy that the environment names

WEBHOOK_SECRET = "whsec_Y2FyaWxsb24tc2FuZGJveC13ZWJob29r"  # noqa: S105 - the sandbox's own, which everybody knows
HOOK_LOGIN = "hook:sandbox"
"""Of the receipts' URLs, for vendors that can show no more than a login."""
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECmwOnbGaIDqlZvv5ulYCj3iliOUxUvZRlmrK2Dx3fglOCqtIoXS93Tg0FKS0ym/mi3TH"
    "eUEIWyYcYuWIUMiVuQ=="
)
"""The public half of the key by which the sandbox's SendGrid signs for the secret `sandbox`."""
RESEND_KEY = "whsec_Y2FyaWxsb24tc2FuZGJveC13ZWJob29rcw=="
TOPIC = "arn:aws:sns:eu-central-1:123456789012:sandbox"
CONTENT_SID = f"HX{'0' * 31}1"
VAPID_KEY = "dSAMlvkOnHkcfRcJdYzpRsYRcRmcNzY2AhFJfWUvoqM"
"""Nobody's: browsers that subscribed at the sandbox were told the public half of it."""


def settings_of(channel: str, provider: str, name: str) -> Settings:
    """An account's, by the name that it has here. Raises KeyError for a provider that the sandbox is not."""
    return SETTINGS[channel, provider](name)


def address(channel: str, provider: str, number: int) -> str:
    """One of many recipients' that the sandbox takes for this provider."""
    return (_ADDRESSES.get(provider) or _ADDRESSES[channel])(number)


@dataclass(frozen=True, slots=True)
class Hook:
    """How the sandbox is told where to post: which name it knows the account by, what it signs with, a login
    in the URL."""

    name: str
    secret: str = ""
    login: str = ""


def hook_of(provider: str, name: str) -> Hook | None:
    """An account's; None where each message says where its receipts go, or a connection brings them."""
    return HOOKS[provider](name) if provider in HOOKS else None


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


def _twilio_whatsapp(name: str) -> Settings:
    return {**_twilio(name), "content_sids": {"order_ready": CONTENT_SID}}


def phone_number_id(name: str) -> str:
    """The id by which the sandbox's Meta knows a seeded account."""
    return f"1{zlib.crc32(name.encode()):014d}"


def _meta(name: str) -> Settings:
    return {
        "phone_number_id": phone_number_id(name),
        "access_token": f"sandbox-{name}",
        "app_secret": "sandbox",
        "verify_token": "sandbox",
        "base_url": f"{settings.SANDBOX_URL}/meta",
    }


def _smpp(name: str) -> Settings:
    return {
        "host": _host(),
        "port": settings.SANDBOX_SMPP_PORT,
        "system_id": name[:15],
        "password": "sandbox",
        "sender": "+15005550006",
    }


def _access_key(name: str) -> str:
    return ("AKIA" + name.replace("-", "").upper()).ljust(20, "0")


def _sns(name: str) -> Settings:
    return {
        "access_key_id": _access_key(name),
        "secret_access_key": "sandbox",
        "region": "eu-central-1",
        "sender": "DemoShop",
        "topics": TOPIC,
        "base_url": f"{settings.SANDBOX_URL}/sns",
    }


def _http_gateway(name: str) -> Settings:
    url = f"{settings.SANDBOX_URL}/gateway"
    return {
        "url": f"{url}/messages",
        "parameters": {"to": "{to}", "text": "{text}", "from": "{sender}", "receipts": "{receipt_url}"},
        "headers": {"X-Api-Key": "{secret}"},
        "secret": name,
        "sender": "DemoShop",
        "message_id": "id",
        "receipt_proof": "hmac_sha256",
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


@cache
def _subscription(id: str) -> str:
    """Of a browser at the sandbox, which makes up its keys: it has to be asked."""
    url = f"{settings.SANDBOX_URL}/webpush/subscriptions"
    request = Request(url, orjson.dumps({"id": id}), {"Content-Type": "application/json"})  # noqa: S310 - our own
    with _direct.open(request, timeout=10) as answer:
        told: str = answer.read().decode()
    return told


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
    ("email", "sendgrid"): _esp("sendgrid/v3/", api_key="SG.{}.sandbox", verification_key=SENDGRID_KEY),
    ("email", "amazon_ses"): _esp(
        "ses",
        region="eu-central-1",
        access_key_id="AKIA{}",
        secret_access_key="sandbox",  # noqa: S106
        topics=TOPIC,
    ),
    ("email", "mailgun"): _esp(
        "mailgun/v3/", api_key="key-{}", domain="mg.demo.example", webhook_key="sandbox"
    ),
    ("email", "postmark"): _esp("postmark/", server_token="{}", webhook_login=HOOK_LOGIN),  # noqa: S106
    ("email", "brevo"): _esp("brevo/v3/", api_key="xkeysib-{}", webhook_login=HOOK_LOGIN),
    ("email", "resend"): _esp("resend/", api_key="re_{}", webhook_key=RESEND_KEY),
    ("sms", "twilio"): _twilio,
    ("sms", "smpp"): _smpp,
    ("sms", "sns"): _sns,
    ("sms", "http"): _http_gateway,
    ("whatsapp", "meta"): _meta,
    ("whatsapp", "twilio"): _twilio_whatsapp,
    ("push", "fcm"): _fcm,
    ("push", "webpush"): _webpush,
    ("slack", "slack_bot"): _slack_bot,
    ("slack", "slack_webhook"): _slack_webhook,
    ("discord", "discord_webhook"): _discord,
    ("webhook", "standard_webhook"): _webhook,
}

HOOKS: Mapping[str, Callable[[str], Hook]] = {
    "sendgrid": lambda name: Hook("sendgrid", "sandbox"),
    "amazon_ses": lambda name: Hook("amazon_ses"),
    "mailgun": lambda name: Hook("mailgun", "sandbox"),
    "postmark": lambda name: Hook("postmark", login=HOOK_LOGIN),
    "brevo": lambda name: Hook("brevo", login=HOOK_LOGIN),
    "resend": lambda name: Hook("resend", RESEND_KEY),
    "sns": lambda name: Hook(_access_key(name)),
    "meta": lambda name: Hook(phone_number_id(name), "sandbox"),
}
TELLS = {*HOOKS, "twilio", "smpp", "http"}
"""The providers by which the sandbox says afterwards what became of a message."""

_ADDRESSES: Mapping[str, Callable[[int], str]] = {
    "email": lambda number: f"person-{number}@shop.example",
    "sms": lambda number: f"+1202555{number:04d}",
    "whatsapp": lambda number: f"+1202555{number:04d}",
    "fcm": lambda number: f"token-{number}",
    "webpush": lambda number: _subscription(f"person-{number}"),
    "slack_bot": lambda number: f"C{number:09d}",
    "slack_webhook": lambda number: f"{settings.SANDBOX_URL}/slack/services/T0/B0/{number}",
    "discord": lambda number: f"{settings.SANDBOX_URL}/discord/api/webhooks/{number}/open",
    "webhook": lambda number: f"{settings.SANDBOX_URL}/hooks/{number}",
}
