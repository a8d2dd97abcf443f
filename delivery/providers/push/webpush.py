"""Push to browsers by their own push services: Web Push, encrypted so that only the browser can read it.

The protocol: RFC 8030. Encryption: RFC 8291, by pywebpush. Who we are: VAPID, RFC 8292, by py_vapid.
The message: https://w3c.github.io/push-api/#declarative-push-message, which browsers that do not know it hand
to the site's service worker as the JSON that it is.
Errors: https://mozilla-services.github.io/autopush-rs/errors.html,
https://developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any, ClassVar

import orjson
from py_vapid import VapidException
from py_vapid.utils import b64urldecode
from pydantic import Field, SecretStr, field_validator
from pywebpush import WebPusher, WebPushException
from yarl import URL

from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, ProviderSettings, Sent
from delivery.providers.http import Reply, exchange
from delivery.providers.push.payload import LONGEST, data, known, merged, seconds_left, topic
from delivery.providers.push.vapid import authorization, public_key, signer

_SUBJECT = r"^(mailto:[^@\s]+@[^@\s]+\.[^@\s.]+|https://\S+)$"

_OTHER_KEY = (
    b"VapidPkHashMismatch",  # Apple
    b"VAPID public key mismatch",  # Mozilla, errno 109
    b"do not correspond to the credentials used to create the subscription",  # Google
)
"""What they say of a subscription that was made with another key than ours."""

_KEYS = {"p256dh": 65, "auth": 16}
"""A subscription's keys and their bytes: RFC 8291, section 2."""


class WebPush(Provider):
    """The recipient's browser chose the push service: one that fails says nothing of the account."""

    name = "webpush"
    channel = "push"
    label = "Web Push"
    each_address_is_a_server: ClassVar[bool] = True

    class Settings(ProviderSettings):
        private_key: SecretStr = Field(
            title="VAPID private key",
            description="From manage.py make_vapid_keys; browsers get the public one.",
        )
        subject: str = Field(
            title="Contact",
            description="Where push services reach you, mailto:… or https://…; Apple refuses invented ones.",
            pattern=_SUBJECT,
        )

        @field_validator("private_key")
        @classmethod
        def _is_one(cls, value: SecretStr) -> SecretStr:
            signer(value)
            return value

    @classmethod
    def accepts(cls, address: str) -> bool:
        return subscription(address) is not None

    def subscription_key(self) -> str:
        """https://w3c.github.io/push-api/#dom-pushsubscriptionoptions-applicationserverkey"""
        return public_key(signer(self.settings.private_key))

    async def send_one(self, message: Message) -> Sent:
        told = subscription(message.to)
        if told is None:
            raise _bad_subscription()
        headers, body = self._headers(message, told), await self._encrypted(message, told)
        url = told["endpoint"]
        reply = await exchange("POST", url, timeout=self.timeout, guarded=True, headers=headers, data=body)
        if reply.status >= 300:
            raise _refusal(reply)
        return Sent(reply.headers.get("Location") or str(message.id), f"HTTP {reply.status}")

    async def check(self) -> None:
        """The key signs; there is no vendor to ask."""
        authorization(self.settings.private_key, self.settings.subject, "https://push.example")

    def _headers(self, message: Message, told: dict[str, Any]) -> dict[str, str]:
        """RFC 8030, section 5."""
        left = seconds_left(message)
        try:
            origin = str(URL(told["endpoint"]).origin())
            signed = authorization(self.settings.private_key, self.settings.subject, origin)
        except (VapidException, ValueError):
            raise _bad_subscription() from None
        return known(
            **{
                "Authorization": signed,
                "Content-Type": "application/octet-stream",
                "Content-Encoding": "aes128gcm",
                "TTL": str(LONGEST if left is None else left),
                "Urgency": "high" if message.is_urgent else "normal",
                "Topic": topic(message),
            }
        )

    @cached_property
    def _turn(self) -> asyncio.Lock:
        return asyncio.Lock()

    async def _encrypted(self, message: Message, told: dict[str, Any]) -> bytes:
        """One at a time, and whatever else is on the loop between two: each takes 0.25 ms of CPU.

        A hundred that begin at once would hold the loop for 25 ms; a thread takes 0.4 ms for each.
        """
        async with self._turn:
            await asyncio.sleep(0)
            try:
                sealed: bytes = WebPusher(told).encode(orjson.dumps(_document(message)))["body"]
            except (WebPushException, ValueError):  # no point of the curve
                raise _bad_subscription() from None
        return sealed


def subscription(address: str) -> dict[str, Any] | None:
    """A browser's `PushSubscription` as its `toJSON` gives it, or None where the address is none."""
    try:
        told = orjson.loads(address)
        sizes = {name: len(b64urldecode(told["keys"][name].encode())) for name in _KEYS}
        is_one = sizes == _KEYS and told["endpoint"].startswith(("https://", "http://"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"endpoint": told["endpoint"], "keys": told["keys"]} if is_one else None


def _document(message: Message) -> Any:
    """What the browser shows, or its service worker: `overrides.webpush.notification` goes before ours."""
    content, overrides, action = message.content, message.overrides, message.action
    notification = known(
        title=content.title or content.subject,
        body=content.body,
        lang=message.locale,
        navigate=action.url if action else None,
        image=overrides.get("image"),
        tag=overrides.get("collapse_key"),
        data=data(message),
    )
    theirs = known(notification=overrides.get("webpush", {}).get("notification"))
    said = known(web_push=8030, notification=notification, app_badge=message.badge)
    return merged(said, theirs)


def _bad_subscription() -> ProviderError:
    words = "not a browser's push subscription"
    return ProviderError(ErrorKind.ADDRESS, words, code="bad_subscription", permanent=True)


def _refusal(reply: Reply) -> ProviderError:
    """404 and 410 end a subscription (RFC 8030, section 7.3); 401 and 403 are about our key (RFC 8292, 4.2).

    All else that a service refuses is about this message, or about whoever runs it. A subscription made with
    another key stays: the account that has the key may be another of the tenant's, or get it back.
    """
    error = reply.error()
    error.permanent = reply.status in {404, 410}
    if reply.status in {400, 401, 403} and any(words in reply.body for words in _OTHER_KEY):
        error.kind, error.code, error.elsewhere = ErrorKind.ADDRESS, "other_key", True
    elif error.kind is ErrorKind.ACCOUNT and reply.status not in {401, 403}:
        error.kind = ErrorKind.ADDRESS
    if 400 <= reply.status < 500 and (said := reply.body[:150].decode("utf-8", "replace").strip()):
        error.message = f"{error.message}: {said}"
    return error
