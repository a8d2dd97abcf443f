"""Slack: incoming webhooks, and the two methods of its Web API that a bot needs to say something.

Webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
Posting: https://docs.slack.dev/reference/methods/chat.postMessage
"""

import time
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Any

import orjson
from aiohttp import web

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after, shown
from sandbox.store import Content, Message

ROOT = "/slack"
ARCHIVED = "C0ARCHIVED"
REMOVED = "removed"
MAX_TEXT = 40_000

_ts = count(1)


class SlackWebhookVendor(HttpVendor):
    """A fault's account name is the webhook's last part. The token `removed` is of a webhook that was."""

    name = "slack_webhook"
    channel = "slack"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/services/{{team}}/{{bot}}/{{token}}", self.guarded(self._take)),
            web.get(ROOT, self.guarded(self._home)),
        )

    def account(self, request: web.Request) -> str:
        return request.match_info.get("token", "")

    async def _home(self, request: web.Request, fault: Fault) -> web.Response:
        return web.Response(text="Slack")

    async def _take(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        if fault.reject or request.match_info["token"] == REMOVED:
            return web.Response(text="no_service", status=404)
        document = _read(source)
        if not isinstance(document, dict) or not (document.get("text") or document.get("blocks")):
            return web.Response(text="invalid_payload" if document is None else "no_text", status=400)
        place = "/".join(request.match_info[part] for part in ("team", "bot", "token"))
        self.store.add(_message(self, source, place, place, shown(request.headers)))
        return web.Response(text="ok")


class SlackBotVendor(HttpVendor):
    """A fault's account name is the token."""

    name = "slack_bot"
    channel = "slack"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/api/chat.postMessage", self.guarded(self._post)),
            web.post(f"{ROOT}/api/auth.test", self.guarded(self._test)),
        )

    def account(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise RefusedError(json_response({"ok": False, "error": "not_authed"}))
        return token

    def failure(self, status: int, fault: Fault) -> web.Response:
        words = {401: "invalid_auth", 403: "access_denied", 429: "ratelimited"}.get(status)
        if words is None:
            return web.Response(status=status, headers=retry_after(fault))
        error = {"ok": False, "error": words}
        return json_response(error, 429 if status == 429 else 200, retry_after(fault))

    async def _test(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"ok": True, "team": "Sandbox", "user": "carillon", "bot_id": "B0SANDBOX"})

    async def _post(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        document = _read(source)
        if error := self._error(document, fault):
            return json_response({"ok": False, "error": error})
        assert document is not None
        headers = shown(request.headers)
        self.store.add(_message(self, source, document["channel"], self.account(request), headers))
        ts = f"{int(time.time())}.{next(_ts):06d}"
        return json_response({"ok": True, "channel": document["channel"], "ts": ts, "message": document})

    def _error(self, document: dict[str, Any] | None, fault: Fault) -> str | None:
        if document is None:
            return "json_not_object"
        if fault.reject or not document.get("channel"):
            return "channel_not_found"
        if document["channel"] == ARCHIVED:
            return "is_archived"
        if not (document.get("text") or document.get("blocks")):
            return "no_text"
        return "msg_too_long" if len(document.get("text") or "") > MAX_TEXT else None


def _read(source: str) -> dict[str, Any] | None:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _message(vendor: HttpVendor, source: str, to: str, account: str, headers: dict[str, str]) -> Message:
    return Message(
        channel=vendor.channel,
        provider=vendor.name,
        account=account,
        to=to,
        sender="Carillon",
        size=len(source),
        parse=partial(content, source, headers),
    )


def content(source: str, headers: dict[str, str]) -> Content:
    document = orjson.loads(source)
    blocks = document.get("blocks") or []
    title = next((block["text"]["text"] for block in blocks if block.get("type") == "header"), None)
    return Content(raw=source, title=title, text=document.get("text"), headers=headers, data=document)
