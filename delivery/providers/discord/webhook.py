"""Discord by webhooks: the recipient's address is the URL, and the URL is the credential.

Sending: https://docs.discord.com/developers/resources/webhook#execute-webhook
Limits: https://docs.discord.com/developers/resources/message#embed-object-embed-limits
Error codes: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
Rate limits: https://docs.discord.com/developers/topics/rate-limits
"""

from __future__ import annotations

from typing import Any, ClassVar

import orjson
from pydantic import Field

from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, ProviderSettings, Sent
from delivery.providers.http import Reply, exchange

CONTENT, TITLE, DESCRIPTION, EMBEDS = 2000, 256, 4096, 6000
"""Characters that Discord takes in each; the last is all embeds of a message together."""

_VENDOR = "https://discord.com"
_HOSTS = (_VENDOR, "https://discordapp.com", "https://canary.discord.com", "https://ptb.discord.com")
_CODES = {
    10003: "the channel is gone",
    10015: "the webhook is gone",
    50006: "the message is empty",
    50027: "the webhook's token is wrong",
    50035: "the message is not as Discord takes it",
    50083: "the thread is archived",
    220001: "a forum's webhook needs a thread",
    220002: "a forum's webhook needs a thread",
    220003: "the webhook can only make threads in a forum",
    240000: "blocked by the server's AutoMod",
}
_GONE = {10015, 50027}


class DiscordWebhook(Provider):
    name = "discord_webhook"
    channel = "discord"
    label = "Discord webhook"
    each_address_is_a_server: ClassVar[bool] = True

    class Settings(ProviderSettings):
        username: str = Field(
            "", title="User name", description="Shown in place of the webhook's own.", max_length=80
        )
        base_url: str = Field(
            _VENDOR,
            title="Base URL",
            description="Webhooks lead there, and nowhere else.",
            pattern=r"^https?://",
        )

    async def send_one(self, message: Message) -> Sent:
        if not self._is_ours(message.to):
            raise ProviderError(ErrorKind.ADDRESS, "not a webhook of Discord's", code="not_discord")
        reply = await exchange(
            "POST",
            message.to,
            timeout=self.timeout,
            params={"wait": "true"},  # else it answers before it knows whether the message can be kept
            headers={"Content-Type": "application/json"},
            data=orjson.dumps(self._payload(message)),
        )
        if reply.status >= 300:
            raise _refusal(reply)
        created = reply.json()
        if not isinstance(created, dict) or not created.get("id"):
            raise ProviderError(ErrorKind.UNKNOWN, "the answer names no message", code="unreadable")
        return Sent(str(created["id"]))

    async def check(self) -> None:
        """Whether Discord answers: a webhook's own check would need its URL."""
        reply = await exchange("GET", f"{self._base}/api/v10/gateway", timeout=self.timeout)
        if reply.status >= 300:
            raise reply.error()

    @property
    def _base(self) -> str:
        base: str = self.settings.base_url.rstrip("/")
        return base

    def _is_ours(self, address: str) -> bool:
        hosts = _HOSTS if self._base == _VENDOR else (self._base,)
        return address.startswith(tuple(f"{host}/api/" for host in hosts))

    def _payload(self, message: Message) -> dict[str, Any]:
        said = {"username": self.settings.username, **message.overrides, "allowed_mentions": {"parse": []}}
        if "embeds" in said:
            said["content"] = message.content.body[:CONTENT]
        else:
            said |= _words(message)
        return {name: value for name, value in said.items() if value}


def _words(message: Message) -> dict[str, Any]:
    """Plain text where it fits, else embeds: they have a title, a link, and room."""
    content, action = message.content, message.action
    title = (content.title or content.subject)[:TITLE]
    if not title and action is None and len(content.body) <= CONTENT:
        return {"content": content.body}
    if len(title) + len(content.body) + len(action.text if action else "") > EMBEDS:
        raise ProviderError(ErrorKind.ADDRESS, f"more than {EMBEDS} characters", code="too_long")
    parts = [content.body[start : start + DESCRIPTION] for start in range(0, len(content.body), DESCRIPTION)]
    embeds: list[dict[str, Any]] = [{"description": part} for part in parts or [""]]
    embeds[0] |= {"title": title or (action.text if action else "")}
    if action is not None:
        embeds[0]["url"] = action.url
    return {"embeds": embeds}


def _refusal(reply: Reply) -> ProviderError:
    """By Discord's code, where it is in our table: it says more than the status."""
    try:
        document = reply.json()
        code, wait = int(document.get("code", 0)), document.get("retry_after")
    except (ProviderError, AttributeError, TypeError, ValueError):
        return reply.error()
    if words := _CODES.get(code):
        return ProviderError(ErrorKind.ADDRESS, words, code=str(code), permanent=code in _GONE)
    error = reply.error()
    if isinstance(wait, int | float) and error.kind is ErrorKind.RATE_LIMITED:
        error.retry_after = float(wait)
    return error
