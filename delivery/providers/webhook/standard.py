"""A signed POST to the recipient's own URL, as Standard Webhooks 1.0.0 has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from functools import cached_property
from typing import Any, ClassVar

import orjson
from pydantic import Field, SecretStr, field_validator
from standardwebhooks import Webhook

from delivery.providers.base import (
    ErrorKind,
    Message,
    Provider,
    ProviderError,
    ProviderSettings,
    Sent,
)
from delivery.providers.http import Reply, exchange

_SHORTEST, _LONGEST = 24, 64
"""Bytes of a key (Standard Webhooks, "Signature scheme")."""


class StandardWebhook(Provider):
    name = "standard_webhook"
    channel = "webhook"
    label = "Standard Webhooks"
    each_address_is_a_server: ClassVar[bool] = True

    class Settings(ProviderSettings):
        secrets: SecretStr = Field(
            title="Secrets",
            description="whsec_ and base64. Several, parted by spaces, while receivers change to the newest.",
        )

        @field_validator("secrets")
        @classmethod
        def _are_secrets(cls, value: SecretStr) -> SecretStr:
            signers(value)
            return value

    @cached_property
    def signers(self) -> list[Webhook]:
        return signers(self.settings.secrets)

    async def send_one(self, message: Message) -> Sent:
        body = orjson.dumps(_document(message)).decode()
        reply = await exchange(
            "POST",
            message.to,
            timeout=self.timeout,
            guarded=True,
            headers=self._headers(message, body),
            data=body.encode(),
        )
        if reply.status >= 300:
            raise _refusal(reply)
        return Sent(str(message.id), f"HTTP {reply.status}")

    async def check(self) -> None:
        """The secrets sign; there is no vendor to ask."""
        self.signers[0].sign("check", dt.datetime.now(dt.UTC), "")

    def _headers(self, message: Message, body: str) -> dict[str, str]:
        """The id is the delivery's, so that a receiver knows a repeated one."""
        now = dt.datetime.now(dt.UTC)
        return {
            "Content-Type": "application/json",
            "User-Agent": "Carillon",
            "webhook-id": str(message.id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(s.sign(str(message.id), now, body) for s in self.signers),
        }


def signers(secrets: SecretStr) -> list[Webhook]:
    """One for each secret. Raises ValueError, which names no secret."""
    keys = [_key(secret) for secret in secrets.get_secret_value().split()]
    if not keys:
        raise ValueError("there is no secret")
    return [Webhook(key) for key in keys]


def _key(secret: str) -> bytes:
    prefix, _, encoded = secret.partition("_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if prefix != "whsec" or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError("each secret is whsec_ and base64 of 24 to 64 bytes")
    return key


def _document(message: Message) -> dict[str, Any]:
    content, action = message.content, message.action
    return {
        "type": "notification",
        "timestamp": dt.datetime.now(dt.UTC),
        "data": {
            "id": message.notification_id,
            "category": message.category,
            "locale": message.locale,
            "title": content.title or content.subject,
            "body": content.body,
            "action": {"url": action.url, "text": action.text} if action else None,
            "data": message.overrides.get("data", message.data),
        },
    }


def _refusal(reply: Reply) -> ProviderError:
    """What the receiver says is about the receiver: no account of ours is at fault.

    410 tells us to stop (Standard Webhooks, "Webhook failures"); a redirect leads where nobody looked.
    """
    error = reply.error()
    if error.kind is ErrorKind.ACCOUNT:
        error.kind = ErrorKind.ADDRESS
    error.permanent = reply.status == 410
    return error
