"""WhatsApp by Meta's own Cloud API.

Sending: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
Errors: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
Testing:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
Versions: https://developers.facebook.com/docs/graph-api/changelog/versions
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import orjson
from pydantic import Field, SecretStr

from delivery.providers.base import (
    Inbound,
    Message,
    ParsedReceipt,
    Provider,
    ProviderSettings,
    ReceiptRequest,
    Sent,
)
from delivery.providers.http import exchange
from delivery.providers.whatsapp import meta_webhook
from delivery.providers.whatsapp.meta_errors import refusal, unreadable
from delivery.providers.whatsapp.meta_message import document

_ABOUT_NUMBER = "verified_name,display_phone_number,quality_rating"


class MetaWhatsApp(Provider):
    name = "meta"
    channel = "whatsapp"
    label = "WhatsApp Cloud API (Meta)"
    receipt_answer = 200  # "other than 200" is posted again: see the page on webhook endpoints

    class Settings(ProviderSettings):
        phone_number_id: str = Field(
            title="Phone number ID", description="Meta's id of your number, not the number.", pattern=r"^\d+$"
        )
        access_token: SecretStr = Field(
            title="Access token", description="A system user's, which does not run out.", min_length=1
        )
        app_secret: SecretStr = Field(
            title="App secret", description="Signs what Meta posts here.", min_length=1
        )
        verify_token: SecretStr = Field(
            title="Verify token",
            description="Any words of your choosing: give Meta the same with the webhook's URL.",
            min_length=1,
        )
        previews: bool = Field(
            False,
            title="Link previews",
            description="Show where links lead. WhatsApp visits them for it, which uses up those that work"
            " only once.",
        )
        base_url: str = Field("https://graph.facebook.com", title="Base URL", pattern=r"^https?://")
        version: str = Field("v26.0", title="Graph API version", pattern=r"^v\d+\.\d+$")

    async def send_one(self, message: Message) -> Sent:
        said = document(message, previews=self.settings.previews, now=dt.datetime.now(dt.UTC))
        answer = await self._call("POST", "/messages", data=orjson.dumps(said))
        match answer.get("messages"):
            case [{"id": str(id), **more}, *_] if id:
                return Sent(id, str(more.get("message_status", "")))
        raise unreadable("the answer names no message")

    async def check(self) -> None:
        """Asks about the number: it proves the token, and that the number is the token's."""
        answer = await self._call("GET", "", params={"fields": _ABOUT_NUMBER})
        if not answer.get("display_phone_number"):
            raise unreadable("the answer names no number")

    async def _call(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        url = f"{self._number_url}{path}"
        reply = await exchange(method, url, timeout=self.timeout, headers=self._headers, **options)
        if reply.status >= 300:
            raise refusal(reply)
        answer = reply.json()
        if not isinstance(answer, Mapping):
            raise unreadable("the answer is no JSON object")
        return answer

    @cached_property
    def _number_url(self) -> str:
        settings = self.settings
        return f"{settings.base_url.rstrip('/')}/{settings.version}/{settings.phone_number_id}"

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        token = self.settings.access_token.get_secret_value()
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def challenge(self, request: ReceiptRequest) -> str:
        return meta_webhook.challenge(request, self.settings.verify_token.get_secret_value())

    def verify(self, request: ReceiptRequest) -> None:
        meta_webhook.verify(request, self.settings.app_secret.get_secret_value())

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt | Inbound]:
        return meta_webhook.parse(request.body, self.settings.phone_number_id)
