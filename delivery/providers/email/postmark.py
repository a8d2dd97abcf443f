"""Email by Postmark.

Sending: https://postmarkapp.com/developer/api/email-api
Errors: https://postmarkapp.com/developer/api/overview#error-codes
Receipts: https://postmarkapp.com/developer/webhooks/webhooks-overview

Up to 500 whole mails share a call, 50 MB in all, and each has a result of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from anymail.backends.base_requests import RequestsPayload
from anymail.backends.postmark import EmailBackend, PostmarkPayload
from anymail.signals import AnymailTrackingEvent
from pydantic import Field, SecretStr

from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.providers.email.anymail import EspSettings, HttpEsp, Outcome
from delivery.providers.email.batching import Batch, Limits
from delivery.providers.email.tracking import LoggedIn, LoginSettings
from delivery.providers.http import Reply

_FIELDS = {"subject": "Subject", "text": "TextBody", "html": "HtmlBody"}


class Payload(PostmarkPayload):  # type: ignore[misc]
    """Anymail's, which has the same words for a whole batch; Postmark itself does not ask for that."""

    words: Mapping[str, Mapping[str, str]] = {}

    def set_merge_data(self, merge_data: Mapping[str, Mapping[str, str]]) -> None:
        self.words = merge_data

    def set_tags(self, tags: Sequence[str]) -> None:
        """It takes one."""
        super().set_tags(tags[:1])

    def data_for_recipient(self, to: Any) -> dict[str, Any]:
        own = self.words.get(to.addr_spec, {})
        return {**super().data_for_recipient(to), **{_FIELDS[name]: part for name, part in own.items()}}


class Backend(EmailBackend):  # type: ignore[misc]
    def build_message_payload(self, message: Any, defaults: Mapping[str, Any]) -> Payload:
        return Payload(message, defaults, self)


class Postmark(LoggedIn, HttpEsp):
    name = "postmark"
    label = "Postmark"
    backend = Backend
    view = "anymail.webhooks.postmark.PostmarkTrackingWebhookView"
    limits = Limits(recipients=500, own_words=5_000_000, size=40_000_000, attachments=False)
    probe = "server"
    kinds = {
        "10": ErrorKind.ACCOUNT,  # no or a bad token
        "100": ErrorKind.TRANSIENT,  # maintenance
        "400": ErrorKind.ACCOUNT,  # no such sender signature
        "401": ErrorKind.ACCOUNT,  # sender signature not confirmed
        "405": ErrorKind.ACCOUNT,  # out of credit
        "406": ErrorKind.ADDRESS,  # inactive: it bounced or complained before
        "412": ErrorKind.ACCOUNT,  # account pending: only to its own domain
        "413": ErrorKind.ACCOUNT,  # account may not send
        "429": ErrorKind.RATE_LIMITED,
        "1235": ErrorKind.ACCOUNT,  # no such message stream
    }
    ours = re.compile(r"'From'")
    nobody = re.compile(r"(Invalid|Error parsing) 'To'|marked as inactive", re.IGNORECASE)

    class Settings(LoginSettings, EspSettings):
        server_token: SecretStr = Field(title="Server API token", min_length=1)
        message_stream: str = Field("outbound", title="Message stream")
        base_url: str = Field("https://api.postmarkapp.com/", title="Base URL", pattern=r"^https?://")

    def options(self) -> dict[str, Any]:
        token = self.settings.server_token.get_secret_value()
        return {"server_token": token, "message_stream": self.settings.message_stream or None}

    def login(self) -> dict[str, str]:
        token = self.settings.server_token.get_secret_value()
        return {"X-Postmark-Server-Token": token, "Accept": "application/json"}

    def said(self, document: Any) -> tuple[str, str]:
        return str(int(document["ErrorCode"])), str(document["Message"])

    def read(self, reply: Reply, payload: RequestsPayload, batch: Batch) -> Sequence[Outcome]:
        """In order, each by itself: anymail would blame all of a batch for one that has another fault."""
        told = reply.json()
        results = told if isinstance(told, list) else [told]
        if len(results) != len(batch):
            raise ProviderError(ErrorKind.UNKNOWN, "the answer is not as it says", code="unreadable")
        return [self._result(result) for result in results]

    def _result(self, result: Any) -> Outcome:
        try:
            if result.get("ErrorCode", 0) == 0:
                return Sent(str(result["MessageID"]), "sent")
            code, words = self.said(result)
        except (LookupError, TypeError, ValueError, AttributeError):
            return ProviderError(ErrorKind.UNKNOWN, "the answer is not as it says", code="unreadable")
        return self.blamed(code, words, ErrorKind.ADDRESS)

    def event_id(self, event: AnymailTrackingEvent) -> str:
        """Only bounces and complaints have an id."""
        told = event.esp_event
        return str(told.get("ID") or f"{super().event_id(event)}:{told.get('ReceivedAt', '')}")

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        """Postmark itself writes to an inactive address no more."""
        return bool(event.esp_event.get("Inactive"))
