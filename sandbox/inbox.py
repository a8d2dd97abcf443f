"""What people and tests see of the sandbox: the inbox page, the messages, the faults."""

import asyncio
import json as stdlib_json
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from sandbox.faults import Fault, Faults
from sandbox.handshake import is_confirmed
from sandbox.store import Filters, Message, Store
from sandbox.unsubscribing import NoButtonError, UnreachableError, press
from sandbox.webhooks import Webhook, Webhooks

STATIC = Path(__file__).parent / "static"
STREAM_PAUSE_S = 0.25  # at most four hints a second, however fast messages come
KEEP_ALIVE_S = 15.0

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# For a stranger's HTML: no scripts, no forms, an origin of its own; pictures and links as in a mail reader.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
HEAD = re.compile(r"<head[^>]*>|\A(?!.*<head)", re.IGNORECASE | re.DOTALL)


class Inbox:
    def __init__(self, store: Store, faults: Faults, webhooks: Webhooks, stopping: asyncio.Event) -> None:
        self._store, self._faults, self._webhooks, self._stopping = store, faults, webhooks, stopping

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/", page),
            web.static("/static", STATIC),
            web.get("/health", health),
            web.get("/api/messages", self.list_messages),
            web.delete("/api/messages", self.clear_messages),
            web.get("/api/messages/{id}", self.get_message),
            web.get("/api/messages/{id}/html", self.get_html),
            web.post("/api/messages/{id}/unsubscribe", self.unsubscribe),
            web.get("/api/stream", self.stream),
            web.get("/api/faults", self.list_faults),
            web.delete("/api/faults", self.clear_faults),
            web.put("/api/faults/{name}", self.set_fault),
            web.delete("/api/faults/{name}", self.clear_fault),
            web.get("/api/webhooks", self.list_webhooks),
            web.put("/api/webhooks/{name}", self.set_webhook),
            web.delete("/api/webhooks", self.clear_webhooks),
        )

    async def list_messages(self, request: web.Request) -> web.Response:
        try:
            filters = Filters.model_validate(dict(request.query))
        except ValidationError as error:
            return invalid(error)
        return json({"results": [message.as_json() for message in self._store.find(filters)]})

    async def get_message(self, request: web.Request) -> web.Response:
        return json(self._message(request).as_json())

    async def get_html(self, request: web.Request) -> web.Response:
        """The HTML part, shut in by `MAIL_POLICY`, for a sandboxed iframe; its links open outside."""
        headers = {"Content-Security-Policy": MAIL_POLICY, "X-Content-Type-Options": "nosniff"}
        html = self._message(request).content.html
        if html is None:
            raise not_found("This message has no HTML part.")
        text = HEAD.sub(r'\g<0><base target="_blank">', html, count=1)
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """Press the button of one-click; what came back is kept with the message."""
        message = self._message(request)
        try:
            outcome = await press(message.content.headers)
        except NoButtonError:
            return problem(409, "no_one_click", "This message cannot be left by one click.")
        except UnreachableError as error:
            return problem(502, "unreachable", f"Nobody answered: {error}.")
        message.state["unsubscribe"] = outcome
        self._store.changed()
        return json(outcome)

    async def clear_messages(self, request: web.Request) -> web.Response:
        self._store.clear()
        return web.Response(status=204)

    async def list_faults(self, request: web.Request) -> web.Response:
        return json({"results": [shown(name, fault) for name, fault in self._faults.all().items()]})

    async def set_fault(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            fault = Fault.model_validate(orjson.loads(await request.read()))
        except orjson.JSONDecodeError:
            return problem(400, "not_json", "The body is not JSON.")
        except ValidationError as error:
            return invalid(error)
        self._faults.set(name, fault)
        return json(shown(name, fault))

    async def clear_fault(self, request: web.Request) -> web.Response:
        self._faults.clear(request.match_info["name"])
        return web.Response(status=204)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)

    async def list_webhooks(self, request: web.Request) -> web.Response:
        found = self._webhooks.all().items()
        return json({"results": [{"name": name, "url": url} for name, url in found]})

    async def set_webhook(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            webhook = Webhook.model_validate(orjson.loads(await request.read()))
        except orjson.JSONDecodeError:
            return problem(400, "not_json", "The body is not JSON.")
        except ValidationError as error:
            return invalid(error)
        if webhook.verify_token and not await is_confirmed(webhook):
            return problem(409, "not_confirmed", "The URL did not answer the challenge.")
        self._webhooks.set(name, webhook)
        return json({"name": name, "url": webhook.address.url})

    async def clear_webhooks(self, request: web.Request) -> web.Response:
        self._webhooks.clear()
        return web.Response(status=204)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-Sent Events: `{"total", "latest"}` at once and after changes, a hint to read again."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async for event in self._events():
            await response.write(event)
        return response

    async def _events(self) -> AsyncIterator[bytes]:
        with self._store.watch() as changed:
            while not self._stopping.is_set():
                changed.clear()
                yield (
                    b"data: " + orjson.dumps({"total": len(self._store), "latest": self._latest()}) + b"\n\n"
                )
                await asyncio.sleep(STREAM_PAUSE_S)
                while not await happened(changed, KEEP_ALIVE_S):
                    yield b": still here\n\n"

    def _latest(self) -> str | None:
        latest = self._store.latest()
        return None if latest is None else str(latest)

    def _message(self, request: web.Request) -> Message:
        number = request.match_info["id"]
        message = self._store.get(int(number)) if number.isdecimal() else None
        if message is None:
            raise not_found("No such message; it may have been cleared.")
        return message


async def page(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": PAGE_POLICY})


async def health(request: web.Request) -> web.Response:
    return json({"status": "ok"})


async def happened(event: asyncio.Event, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False


def shown(name: str, fault: Fault) -> dict[str, Any]:
    """Only what was asked for (and what is left of `times`), so that it can be put again."""
    return {"name": name, **fault.model_dump(exclude_unset=True)}


def json(body: dict[str, Any], status: int = 200, content_type: str = "application/json") -> web.Response:
    return web.Response(body=encoded(body), status=status, content_type=content_type)


def encoded(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # bytes that are no UTF-8, in an address say: escaped, not fatal to the whole list
        return stdlib_json.dumps(body).encode()


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> web.Response:
    """RFC 9457."""
    body = {"type": "about:blank", "title": detail, "status": status, "code": code, "detail": detail}
    return json({**body, "errors": errors or []}, status, "application/problem+json")


def invalid(error: ValidationError) -> web.Response:
    errors = [
        {
            "pointer": "".join(f"/{part}" for part in found["loc"]),
            "code": found["type"],
            "detail": found["msg"],
        }
        for found in error.errors(include_url=False, include_context=False)
    ]
    detail = "; ".join(f"{each['pointer'].lstrip('/') or 'body'}: {each['detail']}" for each in errors)
    return problem(422, "validation_error", detail, errors)


def not_found(detail: str) -> web.HTTPNotFound:
    refusal = problem(404, "not_found", detail)
    return web.HTTPNotFound(text=refusal.text, content_type=refusal.content_type)
