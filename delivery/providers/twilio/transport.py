"""Twilio's client over our own session, and what its answers say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

from delivery.providers.base import ProviderError
from delivery.providers.http import FORM, Reply, exchange, form, kind_of_status
from delivery.providers.twilio.errors import error_for, unreadable

VENDOR = "https://api.twilio.com"


class SharedSession(AsyncHttpClient):  # type: ignore[misc]
    """Twilio's client over the process's session, with the host taken from the account's settings.

    It does not log: Twilio's own client writes addresses and bodies.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), True, timeout)
        self.base_url = base_url.rstrip("/")
        self.limit = timeout

    async def request(  # noqa: PLR0913, PLR0917 - as Twilio's client calls it
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        allow_redirects: bool = False,
    ) -> Response:
        headers = {**FORM, **(headers or {})}
        if auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        body = form(data) if data else None
        url = URL(self.base_url + uri.removeprefix(VENDOR), encoded=True)
        reply = await exchange(method, url, timeout=self.limit, params=params, data=body, headers=headers)
        if reply.status >= 300:
            raise _refusal(reply)
        return Response(reply.status, reply.body.decode("utf-8", "replace"), reply.headers)


def document(reply: Response) -> dict[str, Any]:
    """The answer's JSON object; one that is none may come from a vendor that took the message."""
    try:
        found = orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise unreadable("the answer is no JSON object")
    return found


def _refusal(reply: Reply) -> ProviderError:
    """By Twilio's code, which says more than the status. A proxy's page has none."""
    if reply.status == 429 or reply.status >= 500:
        return reply.error()
    try:
        said = reply.json()
        return error_for(str(int(said["code"])), kind_of_status(reply.status), str(said["message"]))
    except (ProviderError, KeyError, TypeError, ValueError):
        return reply.error()
