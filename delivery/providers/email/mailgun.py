"""Email by Mailgun, through its v3 Messages API.

Sending: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
Batches: https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/batch-sending
Errors: https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
Receipts: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
Signatures: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

Up to 1,000 recipients share a call, with words of their own as recipient variables, as long as all of it
stays under 25 MB. Mailgun gives one id to all of them; their receipts find them by the reference.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import orjson
from anymail.backends.mailgun import EmailBackend
from anymail.signals import AnymailTrackingEvent
from pydantic import Field, SecretStr

from delivery.providers.base import ReceiptRequest
from delivery.providers.email.anymail import EspSettings, HttpEsp, placeholders
from delivery.providers.email.batching import Limits
from delivery.providers.email.composing import Words
from delivery.providers.email.tracking import refuse_unless_recent

_FOR_GOOD = {"bounce", "suppress-bounce", "suppress-complaint", "suppress-unsubscribe"}


class Mailgun(HttpEsp):
    name = "mailgun"
    label = "Mailgun"
    backend = EmailBackend
    view = "anymail.webhooks.mailgun.MailgunTrackingWebhookView"
    limits = Limits(recipients=1000, own_words=1_000_000)
    ours = re.compile(r"^'?from\b|not allowed to send|test purposes|activate", re.IGNORECASE)
    nobody = re.compile(r"^'?to'? parameter is not a valid address", re.IGNORECASE)

    class Settings(EspSettings):
        api_key: SecretStr = Field(title="API key", description="A sending key of the domain is enough.")
        domain: str = Field(title="Domain", description="mg.shop.example", pattern=r"^[\w.-]+$")
        webhook_key: SecretStr | None = Field(
            None, title="HTTP webhook signing key", description="Without it, no receipts."
        )
        base_url: str = Field(
            "https://api.mailgun.net/v3/",
            title="Base URL",
            description="https://api.eu.mailgun.net/v3/ for domains in Europe.",
            pattern=r"^https?://",
        )

    @property
    def webhook_secret(self) -> str:
        key: SecretStr | None = self.settings.webhook_key
        return key.get_secret_value() if key else ""

    def options(self) -> dict[str, Any]:
        return {"api_key": self.settings.api_key.get_secret_value(), "sender_domain": self.settings.domain}

    def login(self) -> dict[str, str]:
        credentials = f"api:{self.settings.api_key.get_secret_value()}"
        return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}

    @property
    def probe(self) -> str:
        return f"domains/{quote(self.settings.domain)}"

    def placeholders(self, words: Words) -> Words:
        return placeholders("%recipient.{}%", words)

    def said(self, document: Any) -> tuple[str, str]:
        return "", str(document["message"])

    def view_options(self) -> dict[str, Any]:
        return {"webhook_signing_key": self.webhook_secret}

    def validate(self, request: ReceiptRequest) -> None:
        super().validate(request)
        refuse_unless_recent(orjson.loads(request.body)["signature"]["timestamp"])

    def event_id(self, event: AnymailTrackingEvent) -> str:
        """Its id is unique for a day, and the signature's token changes when it is posted again."""
        told = event.esp_event["event-data"]
        return f"{told['id']}:{told['timestamp']}"

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        return event.esp_event["event-data"].get("reason") in _FOR_GOOD
