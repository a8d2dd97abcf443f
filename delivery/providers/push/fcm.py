"""Push by Firebase Cloud Messaging's HTTP v1 API: pyfcm for the payload, our session for the calls.

Sending: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
Errors: https://firebase.google.com/docs/cloud-messaging/error-codes
Which tokens to forget: https://firebase.google.com/docs/cloud-messaging/manage-tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pyfcm import FCMNotification

from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, ProviderSettings, Sent
from delivery.providers.http import Reply, exchange
from delivery.providers.push.fcm_message import arguments
from delivery.providers.push.google import TOKEN_URL, access_token, credentials

_NOBODY = "carillon-connection-test"
_QUOTA_REFILLS = 60.0
"""Seconds to wait when Firebase does not say: https://firebase.google.com/docs/cloud-messaging/scale-fcm"""

_KINDS = {
    "INVALID_ARGUMENT": ErrorKind.ADDRESS,  # this message cannot be said there
    "SENDER_ID_MISMATCH": ErrorKind.ADDRESS,  # the token is another project's, which may have an account here
    "UNREGISTERED": ErrorKind.ADDRESS,
    "QUOTA_EXCEEDED": ErrorKind.RATE_LIMITED,
    "UNAVAILABLE": ErrorKind.TRANSIENT,
    "INTERNAL": ErrorKind.TRANSIENT,
    "THIRD_PARTY_AUTH_ERROR": ErrorKind.ACCOUNT,  # the project's key for Apple or Web Push
}


class Fcm(Provider):
    name = "fcm"
    channel = "push"
    label = "Firebase Cloud Messaging"

    class Settings(ProviderSettings):
        service_account: SecretStr = Field(
            title="Service account", description="The JSON of its key, as the Firebase console gives it."
        )
        base_url: str = Field("https://fcm.googleapis.com", title="Base URL", pattern=r"^https?://")
        token_url: str = Field(
            TOKEN_URL, title="Token URL", description="Grants access tokens.", pattern=r"^https?://"
        )

        @field_validator("service_account")
        @classmethod
        def _is_one(cls, value: SecretStr) -> SecretStr:
            credentials(value)
            return value

    @classmethod
    def accepts(cls, address: str) -> bool:
        """Anything but a browser's own subscription, which is a JSON object."""
        return not address.startswith("{")

    @cached_property
    def client(self) -> FCMNotification:
        made = FCMNotification(credentials=credentials(self.settings.service_account))
        made.FCM_END_POINT_BASE = f"{self.settings.base_url.rstrip('/')}/v1/projects"
        return made

    async def send_one(self, message: Message) -> Sent:
        answer = await self._post(self.client.parse_payload(**arguments(message)))
        name = answer.get("name") if isinstance(answer, dict) else None
        if not name:
            raise ProviderError(ErrorKind.UNKNOWN, "the answer names no message", code="unreadable")
        return Sent(str(name))

    async def check(self) -> None:
        """Has Firebase look at a message without sending it: `validate_only`."""
        await self._post(self.client.parse_payload(topic_name=_NOBODY, notification_title="?", dry_run=True))

    async def _post(self, body: bytes) -> Any:
        token = access_token(self.account, self.settings.service_account, self.settings.token_url)
        bearer = await token.get(self.timeout)
        reply = await self._exchange(body, bearer)
        if reply.status == 401:
            other = await token.instead_of(bearer, self.timeout)
            reply = reply if other == bearer else await self._exchange(body, other)
        if reply.status >= 300:
            raise _refusal(reply)
        return reply.json()

    async def _exchange(self, body: bytes, bearer: str) -> Reply:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"}
        url = self.client.fcm_end_point
        return await exchange("POST", url, timeout=self.timeout, headers=headers, data=body)


def _refusal(reply: Reply) -> ProviderError:
    """By FCM's own code, which says more than the status. A proxy's page has none."""
    error, told = reply.error(), _error(reply)
    details = [detail for detail in told.get("details", []) if isinstance(detail, Mapping)]
    error.message = str(told.get("message") or error.message)
    codes = [d.get("errorCode") for d in details] + [told.get("status")]
    error.code = next((str(code) for code in codes if code), error.code)
    error.kind = _KINDS.get(error.code, error.kind)
    error.permanent = error.code == "UNREGISTERED" or _is_about_token(error, details)
    error.elsewhere = error.code == "SENDER_ID_MISMATCH"
    if error.code == "QUOTA_EXCEEDED" and error.retry_after is None:
        error.retry_after = _QUOTA_REFILLS
    return error


def _error(reply: Reply) -> Mapping[str, Any]:
    try:
        told = reply.json()["error"]
    except (ProviderError, KeyError, TypeError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _is_about_token(error: ProviderError, details: list[Mapping[str, Any]]) -> bool:
    """INVALID_ARGUMENT may be about any field; it names it, or says it in words as in FCM's own example."""
    if error.code != "INVALID_ARGUMENT":
        return False
    fields = [violation.get("field") for d in details for violation in d.get("fieldViolations", [])]
    return set(fields) == {"message.token"} if fields else "not a valid FCM registration" in error.message
