"""A gateway as small operators run them: a request a message, as JSON, form or URL, and a receipt by HTTP.

It wants `to`, `text`, `from`, `receipts` (a URL), and the key in `X-Api-Key` or as `key`, and answers JSON.
Receipts are JSON too, with an HMAC by the key in `X-Signature`.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from sandbox import magic
from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after
from sandbox.receipts import Post
from sandbox.segments import segments
from sandbox.store import Content, Message

ROOT = "/gateway"
PHONE_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
BAD_KEY, BAD_NUMBER, NO_TEXT, TOO_FAST, BROKEN = 1, 21, 22, 29, 99
CODES = {401: BAD_KEY, 403: BAD_KEY, 429: TOO_FAST}


class HttpGatewayVendor(HttpVendor):
    """A fault's account name is the first eight characters of the key."""

    name = "http"
    channel = "sms"

    def routes(self) -> Iterable[web.RouteDef]:
        send = self.guarded(self._send)
        return (
            web.get(f"{ROOT}/messages", send),
            web.post(f"{ROOT}/messages", send),
            web.put(f"{ROOT}/messages", send),
            web.get(f"{ROOT}/balance", self.guarded(self._balance)),
        )

    def account(self, request: web.Request) -> str:
        key = key_of(request)
        if not key:
            raise refused(BAD_KEY, "no key", 401)
        return key[:8]

    def failure(self, status: int, fault: Fault) -> web.Response:
        return error(CODES.get(status, BROKEN), "failed", status, retry_after(fault))

    async def _balance(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"balance": 100.0})

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        told = parameters(request, source)
        refuse_if_invalid(told, fault)
        message = self._kept(request, source, told)
        if fault.receipt != "none" and told.get("receipts"):
            later = fault.receipt_delay_ms / 1000
            asyncio.get_running_loop().call_later(later, self._tell, key_of(request), message, told, fault)
        return json_response({"status": "accepted", "id": message.key}, 201)

    def _kept(self, request: web.Request, source: str, told: dict[str, str]) -> Message:
        message_id = token_hex(8)
        message = Message(
            channel=self.channel,
            provider=self.name,
            account=self.account(request),
            to=told["to"],
            sender=told.get("from", ""),
            size=len(source),
            parse=partial(content, source, told),
            state={"id": message_id, "status": "accepted", "webhooks": []},
            key=message_id,
        )
        self.store.add(message)
        return message

    def _tell(self, key: str, message: Message, told: dict[str, str], fault: Fault) -> None:
        failed = fault.receipt == "failed"
        status = message.state["status"] = "undelivered" if failed else "delivered"
        self.store.changed()
        body = orjson.dumps({"id": message.key, "status": status, "error": 30 if failed else 0})
        signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        for _ in range(1 + fault.duplicate_receipts):
            self.receipts.post(Post(told["receipts"], body, headers, partial(self._answered, message)))

    def _answered(self, message: Message, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        message.state["webhooks"].append({"answer": outcome, "at": at})
        self.store.changed()


def key_of(request: web.Request) -> str:
    return request.headers.get("X-Api-Key", "") or request.query.get("key", "")


def parameters(request: web.Request, source: str) -> dict[str, str]:
    """Wherever they stand."""
    told: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        document = orjson.loads(source)
        told |= document if isinstance(document, dict) else {}
    else:
        told |= dict(parse_qsl(source, keep_blank_values=True))
    return {name: str(value) for name, value in told.items()}


def refuse_if_invalid(told: dict[str, str], fault: Fault) -> None:
    to = told.get("to", "")
    fate = magic.phone_fate(to if to.startswith("+") else f"+{to}")
    if fault.reject or fate is not magic.Fate.OK or not PHONE_NUMBER.fullmatch(to):
        raise refused(BAD_NUMBER, "not a phone number")
    if not told.get("text"):
        raise refused(NO_TEXT, "no text")


def content(source: str, told: dict[str, str]) -> Content:
    shown = {name: value for name, value in told.items() if name != "key"}
    return Content(
        raw=source, text=told["text"], data={"parameters": shown, "num_segments": segments(told["text"])}
    )


def error(code: int, message: str, status: int = 400, headers: dict[str, str] | None = None) -> web.Response:
    return json_response({"status": "error", "code": code, "message": message}, status, headers)


def refused(code: int, message: str, status: int = 400) -> RefusedError:
    return RefusedError(error(code, message, status))
