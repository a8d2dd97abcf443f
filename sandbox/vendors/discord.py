"""Discord's webhooks: https://docs.discord.com/developers/resources/webhook#execute-webhook"""

import time
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Any

import orjson
from aiohttp import web

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, json_response, retry_after, shown
from sandbox.store import Content, Message

ROOT = "/discord/api"
REMOVED = "removed"
MAX_CONTENT, MAX_EMBEDS = 2000, 10

_ids = count(time.time_ns())


class DiscordVendor(HttpVendor):
    """A fault's account name is the webhook's id. The token `removed` is of a webhook that was."""

    name = "discord_webhook"
    channel = "discord"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/webhooks/{{id}}/{{token}}", self.guarded(self._execute)),
            web.get(f"{ROOT}/v10/gateway", self.guarded(self._gateway)),
        )

    def account(self, request: web.Request) -> str:
        return request.match_info.get("id", "")

    def failure(self, status: int, fault: Fault) -> web.Response:
        if status != 429:
            return json_response({"message": "failed", "code": 0}, status, retry_after(fault))
        wait = fault.retry_after or 1
        said = {"message": "You are being rate limited.", "retry_after": float(wait), "global": False}
        return json_response(said, 429, {"Retry-After": str(wait)})

    async def _gateway(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"url": "wss://gateway.discord.gg"})

    async def _execute(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.reject or request.match_info["token"] == REMOVED:
            return json_response({"message": "Unknown Webhook", "code": 10015}, 404)
        source = await request.text()
        if problem := _problem(source):
            code = 50006 if problem == "empty" else 50035
            return json_response({"message": "Invalid Form Body", "code": code, "errors": problem}, 400)
        id = str(next(_ids))
        self.store.add(self._message(source, request, id))
        if request.query.get("wait") != "true":
            return web.Response(status=204)
        return json_response({"id": id, "type": 0, "webhook_id": request.match_info["id"]})

    def _message(self, source: str, request: web.Request, id: str) -> Message:
        return Message(
            channel=self.channel,
            provider=self.name,
            account=request.match_info["id"],
            to=f"{request.match_info['id']}/{request.match_info['token']}",
            sender=orjson.loads(source).get("username") or "Carillon",
            size=len(source),
            parse=partial(content, source, shown(request.headers)),
            state={"id": id},
        )


def _problem(source: str) -> str | None:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        return "not JSON"
    if not isinstance(document, dict):
        return "no object"
    said, embeds = document.get("content") or "", document.get("embeds") or []
    if not said and not embeds:
        return "empty"
    return "too long" if len(said) > MAX_CONTENT or len(embeds) > MAX_EMBEDS else None


def content(source: str, headers: dict[str, str]) -> Content:
    document: dict[str, Any] = orjson.loads(source)
    embeds = document.get("embeds") or []
    words = [document.get("content"), *(embed.get("description") for embed in embeds)]
    title = next((embed["title"] for embed in embeds if embed.get("title")), None)
    text = "\n".join(word for word in words if word)
    return Content(raw=source, title=title, text=text, headers=headers, data=document)
