"""Slack by a bot's token: to a channel, or to a person by their id.

Sending and its errors: https://docs.slack.dev/reference/methods/chat.postMessage
Testing: https://docs.slack.dev/reference/methods/auth.test
Rate limits: https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import Field, SecretStr

from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, ProviderSettings, Sent
from delivery.providers.http import exchange, retry_after
from delivery.providers.slack.blocks import payload

_KINDS = {
    "access_denied": ErrorKind.ACCOUNT,
    "accesslimited": ErrorKind.ACCOUNT,  # not from this network
    "account_inactive": ErrorKind.ACCOUNT,
    "ekm_access_denied": ErrorKind.ACCOUNT,
    "enterprise_is_restricted": ErrorKind.ACCOUNT,
    "invalid_auth": ErrorKind.ACCOUNT,
    "missing_scope": ErrorKind.ACCOUNT,
    "no_permission": ErrorKind.ACCOUNT,
    "not_allowed_token_type": ErrorKind.ACCOUNT,
    "not_authed": ErrorKind.ACCOUNT,
    "org_login_required": ErrorKind.ACCOUNT,
    "team_access_not_granted": ErrorKind.ACCOUNT,
    "token_expired": ErrorKind.ACCOUNT,
    "token_revoked": ErrorKind.ACCOUNT,
    "two_factor_setup_required": ErrorKind.ACCOUNT,
    "message_limit_exceeded": ErrorKind.RATE_LIMITED,
    "rate_limited": ErrorKind.RATE_LIMITED,
    "ratelimited": ErrorKind.RATE_LIMITED,
    "service_unavailable": ErrorKind.TRANSIENT,
    "team_added_to_org": ErrorKind.TRANSIENT,  # the workspace is being moved
    "fatal_error": ErrorKind.UNKNOWN,  # "some aspect of the operation may have succeeded"
    "internal_error": ErrorKind.UNKNOWN,
    "request_timeout": ErrorKind.UNKNOWN,
}
"""Any other is about the channel or the message: it cannot be said there."""


class SlackBot(Provider):
    name = "slack_bot"
    channel = "slack"
    label = "Slack bot"

    class Settings(ProviderSettings):
        token: SecretStr = Field(title="Bot token", description="xoxb-…, with the scope chat:write.")
        base_url: str = Field("https://slack.com/api", title="Base URL", pattern=r"^https?://")

    @classmethod
    def accepts(cls, address: str) -> bool:
        """A channel's or a person's id, or a channel's name; an incoming webhook's URL is another's."""
        return not address.startswith(("http://", "https://"))

    async def send_one(self, message: Message) -> Sent:
        answer = await self._call("chat.postMessage", {"channel": message.to, **payload(message)})
        return Sent(f"{answer.get('channel', message.to)}:{answer.get('ts', '')}")

    async def check(self) -> None:
        await self._call("auth.test", {})

    async def _call(self, method: str, document: dict[str, Any]) -> dict[str, Any]:
        """Slack's answer, which says `ok` whatever its status; or `ProviderError`."""
        reply = await exchange(
            "POST",
            f"{self.settings.base_url.rstrip('/')}/{method}",
            timeout=self.timeout,
            headers=self._headers,
            data=orjson.dumps(document),
        )
        if reply.status >= 300:
            raise reply.error()
        answer = reply.json()
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise ProviderError(ErrorKind.UNKNOWN, "the answer is not Slack's", code="unreadable")
        if not answer["ok"]:
            raise _refusal(str(answer.get("error", "")), retry_after(reply.headers))
        return answer

    @property
    def _headers(self) -> dict[str, str]:
        token = self.settings.token.get_secret_value()
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}


def _refusal(code: str, wait: float | None) -> ProviderError:
    kind = _KINDS.get(code, ErrorKind.ADDRESS)
    return ProviderError(kind, code.replace("_", " ") or "refused", code=code or "refused", retry_after=wait)
