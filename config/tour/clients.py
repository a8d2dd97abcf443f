"""What the tour talks to: the API as a service does, the live feed as a browser does, the sandbox."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson

from config.tour.evidence import Arrival

API = "/api/v1/services"
_GREETING = 10.0  # seconds


class Refused(Exception):  # noqa: N818 - what was asked was refused; nothing is wrong with the tour
    """Whoever was asked did not do it. Says what was asked and what was answered."""


async def ask(http: aiohttp.ClientSession, method: str, url: str, body: object = None) -> Any:
    """The JSON of the answer, None where it has no body. Raises `Refused`."""
    try:
        async with http.request(method, url, json=body) as answer:
            said = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(f"{method} {url}: {type(error).__name__} {error}".rstrip()) from None
    if answer.status >= 400:
        raise Refused(f"{method} {url} answered {answer.status}: {said.decode(errors='replace')[:500]}")
    return orjson.loads(said) if said else None


class Service:
    """Another service of the tenant's, with its API key."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def send(self, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await ask(self._http, "POST", f"{self._url}{API}/notifications/send", body)
        return answer

    async def look(self, id: str) -> dict[str, Any]:
        """The notification with its deliveries, their attempts and the trace."""
        answer: dict[str, Any] = await ask(self._http, "GET", f"{self._url}{API}/notifications/{id}")
        return answer

    async def put(self, path: str, body: Mapping[str, Any]) -> None:
        await ask(self._http, "PUT", f"{self._url}{API}/{path}", body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> None:
        await ask(self._http, "PATCH", f"{self._url}{API}/{path}", body)

    async def recipient_token(self, recipient: str) -> str:
        answer = await ask(self._http, "POST", f"{self._url}{API}/recipients/{recipient}/token")
        return str(answer["token"])


class Sandbox:
    """The vendors' stand-in, from outside."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def arrivals(self, words: str, since: dt.datetime) -> list[Arrival]:
        """The messages with these words in them that came since then, oldest first."""
        return [_arrival(message) for message in await self.messages(words, since)]

    async def messages(self, words: str, since: dt.datetime) -> list[dict[str, Any]]:
        """The same as they are."""
        query = f"?q={words}&since={since:%Y-%m-%dT%H:%M:%S.%f}Z"
        answer = await ask(self._http, "GET", f"{self._url}/api/messages{query}")
        return list(reversed(answer["results"]))

    async def unsubscribe(self, message_id: str) -> dict[str, Any]:
        """Press the mail program's button; what the mail's `List-Unsubscribe` answered."""
        answer = await ask(self._http, "POST", f"{self._url}/api/messages/{message_id}/unsubscribe")
        return dict(answer)

    async def posts_to(self, name: str, url: str, secret: str) -> None:
        """Tell the vendor whose account has this name where to post what becomes of messages."""
        await ask(self._http, "PUT", f"{self._url}/api/webhooks/{name}", {"url": url, "secret": secret})

    @asynccontextmanager
    async def failing(self, account: str, fault: Mapping[str, Any]) -> AsyncIterator[None]:
        """The account has this fault meanwhile: see `sandbox.faults.Fault`."""
        await ask(self._http, "PUT", f"{self._url}/api/faults/{account}", dict(fault))
        try:
            yield
        finally:
            with suppress(Refused):  # a sandbox that is gone has forgotten its faults
                await ask(self._http, "DELETE", f"{self._url}/api/faults/{account}")


def _arrival(message: dict[str, Any]) -> Arrival:
    words = message["subject"] or message["text"] or ""
    at = dt.datetime.fromisoformat(message["received_at"])
    return Arrival(message["channel"], message["to"], words.strip(), at)


class Browser:
    """A recipient's open page: it takes what the live feed pushes, and says so, as the bell does."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, recipient: str) -> None:
        self._socket, self._to = socket, f"{recipient}'s browser"
        self._arrived: list[tuple[str, Arrival]] = []

    def arrivals(self, id: str) -> list[Arrival]:
        return [arrival for of, arrival in self._arrived if of == id]

    async def watch(self) -> None:
        """Until cancelled, or the socket is closed."""
        async for message in self._socket:
            frame = orjson.loads(message.data)
            if frame["type"] == "notification:new":
                item = frame["data"]
                arrival = Arrival("in_app", self._to, item["title"], dt.datetime.now(dt.UTC))
                self._arrived.append((item["id"], arrival))
                await self._socket.send_json({"type": "notification:received", "data": {"id": item["id"]}})


@asynccontextmanager
async def open_browser(url: str, recipient: str, token: str) -> AsyncIterator[Browser]:
    """Connected and greeted. `url` is the web process's, with http."""
    address = f"{url}/ws/notifications/"
    protocols: Sequence[str] = ("carillon.v1", f"bearer.{token}")
    # A session of its own: the API key of the other must never reach a browser.
    async with aiohttp.ClientSession() as http, http.ws_connect(address, protocols=protocols) as socket:
        frame = await socket.receive_json(timeout=_GREETING)
        if frame["type"] != "connected":
            raise Refused(f"{address} said {frame['type']} instead of connected")
        browser = Browser(socket, recipient)
        watching = asyncio.create_task(browser.watch())
        try:
            yield browser
        finally:
            watching.cancel()
            await asyncio.wait([watching])
