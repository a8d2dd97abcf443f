"""Email by Brevo (Sendinblue, formerly), through its v3 API.

Sending: https://developers.brevo.com/reference/sendtransacemail
Batches: https://developers.brevo.com/docs/batch-send-transactional-emails
Errors: https://developers.brevo.com/docs/how-it-works
Receipts: https://developers.brevo.com/docs/transactional-webhooks
Login of webhooks: https://developers.brevo.com/docs/username-and-password-authentication

Up to 1,000 message versions share a call, each with a subject and contents of its own. Brevo takes one
address to reply to, no inline images, and only ASCII in headers and metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from anymail.backends.brevo import BrevoPayload, EmailBackend
from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.brevo import BrevoTrackingWebhookView
from pydantic import Field, SecretStr

from delivery.providers.base import ErrorKind
from delivery.providers.email.anymail import EspSettings, HttpEsp
from delivery.providers.email.batching import Limits
from delivery.providers.email.tracking import LoggedIn, LoginSettings

_FIELDS = {"subject": "subject", "text": "textContent", "html": "htmlContent"}


class Payload(BrevoPayload):  # type: ignore[misc]
    """Anymail's, with each version's own words instead of values for Brevo's template language."""

    def serialize_json(self, data: Any) -> str:
        for version in data.get("messageVersions", ()):
            own = version.pop("params", {})
            version.update({_FIELDS[name]: part for name, part in own.items()})
        document: str = super().serialize_json(data)
        return document


class Backend(EmailBackend):  # type: ignore[misc]
    def build_message_payload(self, message: Any, defaults: Mapping[str, Any]) -> Payload:
        return Payload(message, defaults, self)


class View(BrevoTrackingWebhookView):  # type: ignore[misc]
    """Anymail's, which takes every mail's custom header for JSON, also those that others sent."""

    def esp_to_anymail_event(self, esp_event: dict[str, Any]) -> AnymailTrackingEvent:
        try:
            orjson.loads(esp_event.get("X-Mailin-custom") or "")
        except orjson.JSONDecodeError:
            esp_event = {**esp_event, "X-Mailin-custom": "{}"}
        return super().esp_to_anymail_event(esp_event)


class Brevo(LoggedIn, HttpEsp):
    name = "brevo"
    label = "Brevo"
    backend = Backend
    view = f"{__name__}.View"
    limits = Limits(recipients=1000, own_words=1_000_000, size=15_000_000)
    probe = "account"
    kinds = {
        "unauthorized": ErrorKind.ACCOUNT,
        "permission_denied": ErrorKind.ACCOUNT,
        "not_enough_credits": ErrorKind.ACCOUNT,
        "account_under_validation": ErrorKind.ACCOUNT,
        "too_many_requests": ErrorKind.RATE_LIMITED,
    }
    ours = re.compile(r"\bsender\b|\breplyTo\b", re.IGNORECASE)
    nobody = re.compile(r"email is not valid in to\b", re.IGNORECASE)

    class Settings(LoginSettings, EspSettings):
        api_key: SecretStr = Field(title="API key", min_length=1)
        base_url: str = Field("https://api.brevo.com/v3/", title="Base URL", pattern=r"^https?://")

    def options(self) -> dict[str, Any]:
        return {"api_key": self.settings.api_key.get_secret_value()}

    def login(self) -> dict[str, str]:
        return {"api-key": self.settings.api_key.get_secret_value()}

    def said(self, document: Any) -> tuple[str, str]:
        return str(document["code"]), str(document["message"])

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        return event.esp_event.get("event") in {"hard_bounce", "invalid_email"}
