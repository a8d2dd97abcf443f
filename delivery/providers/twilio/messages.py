"""A provider by Twilio's Messages API: a channel says what is its own, and is one."""

from __future__ import annotations

import datetime as dt
import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from pydantic import Field, SecretStr
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from delivery.providers.base import (
    Inbound,
    Message,
    ParsedReceipt,
    Provider,
    ProviderSettings,
    ReceiptRequest,
    Sent,
)
from delivery.providers.twilio import webhook
from delivery.providers.twilio.errors import unreadable
from delivery.providers.twilio.transport import VENDOR, SharedSession, document

_LONGEST_IN_QUEUE = 36_000
"""Seconds: https://www.twilio.com/docs/api/errors/90007"""
_MESSAGING_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class TwilioMessages(Provider):
    prefix: ClassVar[str] = ""
    """What the channel's addresses begin with: https://www.twilio.com/docs/messaging/channels"""

    class Settings(ProviderSettings):
        account_sid: str = Field(title="Account SID", pattern=r"^AC[0-9a-zA-Z]{32}$")
        auth_token: SecretStr = Field(title="Auth token", min_length=1)
        sender: str = Field(
            title="From", description="A number in E.164, or a messaging service's SID (MG…)."
        )
        base_url: str = Field(VENDOR, title="Base URL", pattern=r"^https?://")

    @abstractmethod
    def content(self, message: Message) -> dict[str, str]:
        """The fields that say what the message says. Raises `ProviderError` where it cannot be said."""

    def sender(self, message: Message) -> str:
        """A number, or a messaging service's SID."""
        sender: str = self.settings.sender
        return sender

    @cached_property
    def credentials(self) -> tuple[str, str]:
        return self.settings.account_sid, self.settings.auth_token.get_secret_value()

    @cached_property
    def transport(self) -> SharedSession:
        return SharedSession(self.settings.base_url, self.timeout)

    async def send_one(self, message: Message) -> Sent:
        """By the client's transport: its resource objects take as long to make as the exchange itself."""
        uri = f"{VENDOR}/2010-04-01/Accounts/{self.settings.account_sid}/Messages.json"
        reply = await self.transport.request("POST", uri, data=self._fields(message), auth=self.credentials)
        created = document(reply)
        if not created.get("sid"):
            raise unreadable("the answer names no message")
        return Sent(str(created["sid"]), str(created.get("status", "")))

    def _fields(self, message: Message) -> dict[str, str]:
        fields = {"To": self.prefix + message.to, **self.content(message)}
        sender = self.sender(message)
        if _MESSAGING_SERVICE.fullmatch(sender):
            fields["MessagingServiceSid"] = sender
        else:
            fields["From"] = self.prefix + sender
        if message.expires_at is not None:
            left = int((message.expires_at - dt.datetime.now(dt.UTC)).total_seconds())
            fields["ValidityPeriod"] = str(min(max(left, 1), _LONGEST_IN_QUEUE))
        if self.receipt_url:
            fields["StatusCallback"] = f"{self.receipt_url}?reference={message.reference}"
        return fields

    async def check(self) -> None:
        client = Client(*self.credentials, http_client=self.transport)
        try:
            await client.api.accounts(self.settings.account_sid).fetch_async()
        except (TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable(type(error).__name__) from None

    def verify(self, request: ReceiptRequest) -> None:
        webhook.verify(request, self.settings.auth_token.get_secret_value())

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt | Inbound]:
        return webhook.parse(request, self.prefix)
