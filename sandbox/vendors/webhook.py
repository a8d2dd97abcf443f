"""Somebody's own endpoint, which believes only what is signed: Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from base64 import b64encode
from collections.abc import Iterable
from functools import partial

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, retry_after, shown
from sandbox.store import Content, Message

SECRET = "whsec_" + b64encode(b"carillon-sandbox-webhook").decode()
"""Known to all: it signs what is sent to the sandbox, and nothing else."""
GONE = "gone"


class WebhookVendor(HttpVendor):
    """A fault's account name is the last part of the path. The endpoint `gone` wants no more."""

    name = "standard_webhook"
    channel = "webhook"

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post("/hooks/{name}", self.guarded(self._take)),)

    def account(self, request: web.Request) -> str:
        return request.match_info["name"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        return web.Response(status=status, headers=retry_after(fault))

    async def _take(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        try:
            Webhook(SECRET).verify(source, dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            raise RefusedError(web.Response(text=str(error), status=401)) from None
        if fault.reject or request.match_info["name"] == GONE:
            return web.Response(status=410)
        self.store.add(self._message(source.decode(), request))
        return web.Response(status=204)

    def _message(self, source: str, request: web.Request) -> Message:
        name = request.match_info["name"]
        return Message(
            channel=self.channel,
            provider=self.name,
            account=name,
            to=name,
            sender="Carillon",
            size=len(source),
            parse=partial(content, source, shown(request.headers)),
            state={"signature": "valid"},
        )


def content(source: str, headers: dict[str, str]) -> Content:
    document = orjson.loads(source)
    said = document.get("data") or {}
    return Content(raw=source, title=said.get("title"), text=said.get("body"), headers=headers, data=document)
