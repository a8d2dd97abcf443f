"""Slack by incoming webhooks: the recipient's address is the URL, and the URL is the credential.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from __future__ import annotations

from typing import ClassVar

import orjson
from pydantic import Field

from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, ProviderSettings, Sent
from delivery.providers.http import Reply, exchange
from delivery.providers.slack.blocks import payload

_GONE = {"no_service", "no_service_id", "no_team", "team_disabled", "no_active_hooks", "invalid_token"}
"""The webhook was removed, or its workspace was."""

_HERE = {
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "no_text",
    "posting_to_general_channel_denied",
    "too_many_attachments",
    "user_not_found",
}
"""This message cannot be said there, or nothing can for now."""


class SlackWebhook(Provider):
    name = "slack_webhook"
    channel = "slack"
    label = "Slack incoming webhook"
    each_address_is_a_server: ClassVar[bool] = True

    class Settings(ProviderSettings):
        base_url: str = Field(
            "https://hooks.slack.com",
            title="Base URL",
            description="Webhooks lead there, and nowhere else.",
            pattern=r"^https?://",
        )

    @classmethod
    def accepts(cls, address: str) -> bool:
        return address.startswith(("http://", "https://"))

    async def send_one(self, message: Message) -> Sent:
        if not message.to.startswith(self.settings.base_url.rstrip("/") + "/"):
            raise ProviderError(ErrorKind.ADDRESS, "not a webhook of Slack's", code="not_slack")
        said = payload(message)
        said.pop("thread_ts", None)  # a webhook cannot answer in a thread of the channel
        reply = await exchange(
            "POST",
            message.to,
            timeout=self.timeout,
            headers={"Content-Type": "application/json"},
            data=orjson.dumps(said),
        )
        if reply.status >= 300:
            raise _refusal(reply)
        if reply.body.strip() != b"ok":
            raise ProviderError(ErrorKind.UNKNOWN, "the answer is not Slack's", code="unreadable")
        return Sent(str(message.id))

    async def check(self) -> None:
        """Whether Slack answers: only a message would tell more."""
        reply = await exchange("GET", self.settings.base_url, timeout=self.timeout)
        if reply.status >= 500:
            raise reply.error()


def _refusal(reply: Reply) -> ProviderError:
    """By the word in the body. A page that is no word comes from a proxy."""
    code = reply.body[:64].decode("ascii", "replace").strip()
    if code in _GONE:
        return ProviderError(ErrorKind.ADDRESS, code.replace("_", " "), code=code, permanent=True)
    if code in _HERE:
        return ProviderError(ErrorKind.ADDRESS, code.replace("_", " "), code=code)
    return reply.error()
