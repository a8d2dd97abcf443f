"""SMS by any gateway that takes an HTTP request: how it is asked, and what it answers, are settings.

What is filled in is encoded for where it stands: in JSON, in a form, in a URL.
docs/providers/http-gateway.md has examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from yarl import URL

from delivery.providers.base import (
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    Provider,
    ProviderError,
    ReceiptRequest,
    Sent,
)
from delivery.providers.http import FORM, Reply, exchange, form, retry_after
from delivery.providers.sms import gateway_receipts
from delivery.providers.sms.gateway_settings import GatewaySettings
from delivery.providers.sms.gateway_terms import PLACES, Said, filled, find, find_text, in_statuses, is_regex

_LARGEST = 64 * 1024
"""Bytes of an answer, which expressions are let loose on."""


class HttpGateway(Provider):
    name = "http"
    channel = "sms"
    label = "HTTP gateway"
    receipts_by_get: ClassVar[bool] = True

    Settings = GatewaySettings

    async def send_one(self, message: Message) -> Sent:
        reply = await self._ask(message)
        said = Said.of(reply.body)
        if error := self._error(reply, said):
            raise error
        return Sent(find_text(self.settings.message_id, said), f"HTTP {reply.status}")

    async def check(self) -> None:
        """Without a URL to get, that somebody answers there at all."""
        own = self.settings
        if not own.check_url:
            await exchange("HEAD", URL(own.url).origin(), timeout=self.timeout)
            return
        values = {**dict.fromkeys(PLACES, ""), "sender": own.sender, "secret": self._secret}
        url = URL(filled(own.check_url, values, _quoted), encoded=True)
        reply = await exchange("GET", url, timeout=self.timeout, headers=filled(own.headers, values))
        if reply.status >= 300:
            raise reply.error()

    async def _ask(self, message: Message) -> Reply:
        own, values = self.settings, self._values(message)
        url, headers = filled(own.url, values, _quoted), filled(own.headers, values)
        said, options = filled(own.parameters, values), {}
        if own.encoding == "json":
            options["json"] = said
        elif own.encoding == "form":
            options["data"], headers = form(_texts(said)), {**FORM, **headers}
        else:
            url += ("&" if "?" in url else "?") + form(_texts(said)).decode()
        return await exchange(
            own.method,
            URL(url, encoded=True),
            timeout=self.timeout,
            headers=headers,
            largest=_LARGEST,
            **options,
        )

    def _values(self, message: Message) -> Mapping[str, str]:
        return {
            "to": message.to,
            "to_digits": message.to.removeprefix("+"),
            "text": message.content.body,
            "sender": message.overrides.get("sender") or self.settings.sender,
            "reference": message.reference,
            "receipt_url": self._receipt_url(message.reference),
            "secret": self._secret,
        }

    def _receipt_url(self, reference: str) -> str:
        own, query = self.settings, {"reference": reference}
        if own.receipt_proof == "parameter":
            query[own.receipt_place] = self._receipt_secret
        return f"{self.receipt_url}?{urlencode(query)}" if self.receipt_url else ""

    def _error(self, reply: Reply, said: Said) -> ProviderError | None:
        """The first rule that fits, else the status, else what the answer does not say."""
        own = self.settings
        for rule in own.errors:
            if rule.fits(said, reply.status):
                error: ProviderError = rule.error(str(reply.status))
                error.retry_after = retry_after(reply.headers)
                return error
        if not in_statuses(own.success_statuses, reply.status):
            return reply.error()
        if own.success:
            return None if find(own.success, said) else _not_taken(own.success, said)
        has_id = not own.message_id or find_text(own.message_id, said)
        return None if has_id else _unreadable()

    # — receipts

    def silence(self) -> str:
        is_deaf = self.settings.receipt_proof == "none"
        return "its settings say nothing that receipts could be verified by" if is_deaf else ""

    def verify(self, request: ReceiptRequest) -> None:
        own = self.settings
        gateway_receipts.verify(
            request, proof=own.receipt_proof, place=own.receipt_place, secret=self._receipt_secret
        )

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt | Inbound]:
        own = self.settings
        return gateway_receipts.parse(
            request, fields=own.receipt_fields, statuses=own.receipt_statuses, rules=own.errors
        )

    @cached_property
    def _secret(self) -> str:
        return self.settings.secret.get_secret_value() if self.settings.secret else ""

    @cached_property
    def _receipt_secret(self) -> str:
        own = self.settings.receipt_secret
        return own.get_secret_value() if own else self._secret


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Numbers as they are written, and no parameter for what is null."""
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _not_taken(success: str, said: Said) -> ProviderError:
    """The answer says no, unless it is none in which that could be looked for."""
    if said.document is None and not is_regex(success):
        return _unreadable()
    return ProviderError(ErrorKind.ADDRESS, "the gateway did not take it", code="not_taken")


def _unreadable() -> ProviderError:
    """It answered, and may have taken it."""
    return ProviderError(ErrorKind.UNKNOWN, "the answer is not as it should be", code="unreadable")
