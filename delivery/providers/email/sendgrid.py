"""Email by SendGrid, through its v3 Mail Send API.

Sending: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
Limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations
Errors: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
Receipts: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
Signatures: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

Up to 1,000 recipients share a call, each a personalization. Words of their own are substitutions, of which
one recipient may have 10,000 bytes; longer mails share a call only with those that say the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from anymail.backends.base_requests import RequestsPayload
from anymail.backends.sendgrid import EmailBackend
from anymail.signals import AnymailTrackingEvent, EventType
from pydantic import Field, SecretStr

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRequest
from delivery.providers.email.anymail import EspSettings, HttpEsp, Outcome, placeholders
from delivery.providers.email.batching import Batch, Limits
from delivery.providers.email.composing import Words
from delivery.providers.email.tracking import refuse_unless_recent
from delivery.providers.http import Reply

_TAG = "-carillon-{}-"
_DROPPED_FOR_GOOD = {"bounced address", "invalid", "spam reporting address", "unsubscribed address"}


class SendGrid(HttpEsp):
    name = "sendgrid"
    label = "SendGrid"
    backend = EmailBackend
    view = "anymail.webhooks.sendgrid.SendGridTrackingWebhookView"
    limits = Limits(recipients=1000, own_words=9_500)
    probe = "scopes"
    ours = re.compile(r"^from\b|Sender Identity")
    nobody = re.compile(r"^personalizations\.\d+\.to\.\d+\.email\b")

    class Settings(EspSettings):
        api_key: SecretStr = Field(title="API key", min_length=1)
        verification_key: str = Field(
            "", title="Verification key", description="Of the signed event webhook. Without it, no receipts."
        )
        base_url: str = Field("https://api.sendgrid.com/v3/", title="Base URL", pattern=r"^https?://")

    @property
    def webhook_secret(self) -> str:
        key: str = self.settings.verification_key
        return key

    def options(self) -> dict[str, Any]:
        return {"api_key": self.settings.api_key.get_secret_value(), "merge_field_format": _TAG}

    def login(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.api_key.get_secret_value()}"}

    def placeholders(self, words: Words) -> Words:
        return placeholders(_TAG, words)

    def said(self, document: Any) -> tuple[str, str]:
        """It has no codes. The field stands before the words: it says who is to blame."""
        error = document["errors"][0]
        return "", f"{error.get('field') or ''} {error['message']}".strip()

    def refusal(self, reply: Reply) -> ProviderError:
        """https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits"""
        error = super().refusal(reply)
        until = reply.headers.get("X-RateLimit-Reset", "")
        if error.kind is ErrorKind.RATE_LIMITED and error.retry_after is None and until.isdecimal():
            error.retry_after = max(0.0, float(until) - time.time())
        return error

    def read(self, reply: Reply, payload: RequestsPayload, batch: Batch) -> Sequence[Outcome]:
        """It queues with 202 and no body; anything else that looks like success comes from somebody else."""
        if reply.status != 202:
            raise ProviderError(ErrorKind.UNKNOWN, f"HTTP {reply.status}, and not 202", code="unreadable")
        return super().read(reply, payload, batch)

    def view_options(self) -> dict[str, Any]:
        return {"tracking_webhook_verification_key": self.webhook_secret}

    def validate(self, request: ReceiptRequest) -> None:
        super().validate(request)
        refuse_unless_recent(request.headers["x-twilio-email-event-webhook-timestamp"])

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        """A bounce is hard unless its type is 'blocked'; a drop has its reason in words."""
        if event.event_type == EventType.BOUNCED:
            return bool(event.esp_event.get("type", "bounce") == "bounce")
        return str(event.esp_event.get("reason", "")).lower() in _DROPPED_FOR_GOOD
