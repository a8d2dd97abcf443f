"""Email by Resend.

Sending: https://resend.com/docs/api-reference/emails/send-email
Batches: https://resend.com/docs/api-reference/emails/send-batch-emails
Errors: https://resend.com/docs/api-reference/errors
Receipts: https://resend.com/docs/webhooks/event-types
Signatures: https://resend.com/docs/webhooks/verify-webhooks-requests

Up to 100 whole mails share a call, without attachments. Resend takes few calls a second (two, unless a team
asks for more), so that it is batches that make it fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anymail.backends.resend import EmailBackend, ResendPayload
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.webhooks.resend import ResendTrackingWebhookView
from pydantic import Field, SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRefused, ReceiptRequest
from delivery.providers.email.anymail import EspSettings, HttpEsp
from delivery.providers.email.batching import Limits


class Payload(ResendPayload):  # type: ignore[misc]
    """Anymail's, which has the same words for a whole batch; Resend itself does not ask for that."""

    words: Mapping[str, Mapping[str, str]] = {}

    def set_merge_data(self, merge_data: Mapping[str, Mapping[str, str]]) -> None:
        self.words = merge_data

    def serialize_json(self, data: Any) -> str:
        if isinstance(data, list) and self.words:
            for mail, to in zip(data, self.to_recipients, strict=True):
                mail.update(self.words.get(to.addr_spec, {}))
        document: str = super().serialize_json(data)
        return document


class Backend(EmailBackend):  # type: ignore[misc]
    def build_message_payload(self, message: Any, defaults: Mapping[str, Any]) -> Payload:
        return Payload(message, defaults, self)


class View(ResendTrackingWebhookView):  # type: ignore[misc]
    """Anymail's, with the events that are younger than its table."""

    event_types = {
        **ResendTrackingWebhookView.event_types,
        "email.failed": EventType.FAILED,
        "email.suppressed": EventType.REJECTED,
    }


class Resend(HttpEsp):
    name = "resend"
    label = "Resend"
    backend = Backend
    view = f"{__name__}.View"
    limits = Limits(recipients=100, own_words=1_000_000, attachments=False)
    probe = "domains"
    kinds = {
        "missing_api_key": ErrorKind.ACCOUNT,
        "invalid_api_key": ErrorKind.ACCOUNT,
        "restricted_api_key": ErrorKind.ACCOUNT,
        "invalid_access": ErrorKind.ACCOUNT,
        "invalid_from_address": ErrorKind.ACCOUNT,
        "daily_quota_exceeded": ErrorKind.ACCOUNT,
        "monthly_quota_exceeded": ErrorKind.ACCOUNT,
        "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
        "concurrent_idempotent_requests": ErrorKind.TRANSIENT,
    }
    ours = re.compile(r"`from`|domain is not verified|testing emails")
    nobody = re.compile(r"Invalid `to` field")

    class Settings(EspSettings):
        api_key: SecretStr = Field(
            title="API key", description="One that only sends is enough.", min_length=1
        )
        webhook_key: SecretStr | None = Field(
            None, title="Signing secret", description="whsec_… of the webhook. Without it, no receipts."
        )
        base_url: str = Field("https://api.resend.com/", title="Base URL", pattern=r"^https?://")

    @property
    def webhook_secret(self) -> str:
        key: SecretStr | None = self.settings.webhook_key
        return key.get_secret_value() if key else ""

    def options(self) -> dict[str, Any]:
        return {"api_key": self.settings.api_key.get_secret_value()}

    def login(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.api_key.get_secret_value()}"}

    def said(self, document: Any) -> tuple[str, str]:
        return str(document["name"]), str(document["message"])

    async def check(self) -> None:
        """A key that may only send says so, and is as good as we need."""
        try:
            await super().check()
        except ProviderError as error:
            if error.code != "restricted_api_key":
                raise

    def view_options(self) -> dict[str, Any]:
        return {"signing_secret": None}

    def validate(self, request: ReceiptRequest) -> None:
        """By the package of those who made the scheme; theirs that anymail asks for takes 20 MB more."""
        headers = {name.replace("svix-", "webhook-"): value for name, value in request.headers.items()}
        try:
            Webhook(self.webhook_secret).verify(request.body, headers)
        except (WebhookVerificationError, EmptyWebhookSecretError):
            raise ReceiptRefused("the signature does not hold, or is too old") from None

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        bounce = event.esp_event["data"].get("bounce", {})
        return bool(event.event_type == EventType.REJECTED or bounce.get("type") == "Permanent")
