"""A socket on the live feed: who it is, what it says, how long it may stay."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from notifications.realtime.commands import ClientFrame, FrameError, answer, greet, parse
from notifications.realtime.frames import Address, encode
from notifications.realtime.hub import Hub, Outbox
from tenants.authentication import RecipientIdentity, authenticate_recipient

logger = logging.getLogger(__name__)

PROTOCOL = "carillon.v1"
AUTHENTICATE_SECONDS = 5
UNAUTHENTICATED, TOO_SLOW, TOO_MANY, TRY_AGAIN = 4401, 4408, 4429, 1013
_BEARER = "bearer."

hub = Hub()


class FrameRate:
    """At most `limit` frames in any second."""

    def __init__(self, limit: int) -> None:
        self._times: deque[float] = deque(maxlen=limit)

    def exceeded(self, now: float) -> bool:
        full = len(self._times) == self._times.maxlen
        exceeded = full and now - self._times[0] < 1
        self._times.append(now)
        return exceeded


def offered_token(scope: Any) -> str | None:
    """The token of the handshake: `Sec-WebSocket-Protocol: carillon.v1, bearer.<jwt>`, or `?token=`."""
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(_BEARER):
            return str(protocol.removeprefix(_BEARER))
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["token"][0] if "token" in query else None


async def _in_database(function: Callable[..., Any], *args: Any) -> Any:
    """Sockets do not queue for one database thread, as Channels' default would have them."""
    return await database_sync_to_async(function, thread_sensitive=False)(*args)


class FeedConsumer(AsyncWebsocketConsumer):
    """Channels' side of a socket: handshake, commands and close codes. Pushes come from the hub."""

    address: Address | None = None
    closed = False
    alarm: asyncio.TimerHandle | None = None
    writer: asyncio.Task[None] | None = None
    farewell: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.outbox = Outbox(self.send, overflow=lambda: self.dismiss(TOO_SLOW))
        self.rate = FrameRate(settings.FEED_FRAMES_PER_SECOND)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.leave()

    async def connect(self) -> None:
        """Always accepts: a browser is told a close code, but not why a handshake was refused."""
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)
        token = offered_token(self.scope)
        if token is None:
            self.dismiss_in(AUTHENTICATE_SECONDS)
        else:
            await self.enter(token)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.closed:
            return
        if self.rate.exceeded(time.monotonic()):
            await self.refuse(TOO_MANY)
            return
        try:
            await self.obey(self.read(text_data))
        except FrameError as error:
            await self.reply(error.frame())
        except (OperationalError, InterfaceError):
            logger.warning("live feed: the database is away", exc_info=True)
            await self.reply(FrameError("unavailable", "The database is away; try again.").frame())

    def read(self, text: str | None) -> ClientFrame:
        if text is not None and len(text.encode()) > settings.FEED_MAX_FRAME_BYTES:
            raise FrameError("too_large", f"A frame may have {settings.FEED_MAX_FRAME_BYTES} bytes.")
        return parse(text)

    async def obey(self, frame: ClientFrame) -> None:
        if self.address is None:
            await self.enter(frame.token if frame.type == "authenticate" else None)
        elif frame.type == "ping":
            await self.reply(encode("pong", ref=frame.ref))
        else:
            for reply in await _in_database(answer, self.address, frame):
                await self.reply(reply)

    async def enter(self, token: str | None) -> None:
        """Become the token's recipient until it expires."""
        self.silence_alarm()
        try:
            identity = await _in_database(authenticate_recipient, token or "")
        except AuthenticationFailed:
            await self.refuse(UNAUTHENTICATED)
        except (OperationalError, InterfaceError):
            await self.refuse(TRY_AGAIN)
        else:
            await self.join(identity)

    async def join(self, identity: RecipientIdentity) -> None:
        """Registered before the feed is read, writing after: nothing falls between `connected` and pushes."""
        address = Address(identity.tenant.pk, identity.type, identity.external_id)
        if hub.sockets(address.key()) >= settings.FEED_SOCKETS_PER_RECIPIENT:
            await self.refuse(TOO_MANY)
            return
        self.address = address
        await hub.join(address.key(), self.outbox)
        await self.send((await _in_database(greet, address)).decode())
        self.writer = asyncio.create_task(self.outbox.drain())
        self.dismiss_in((identity.expires_at - timezone.now()).total_seconds())

    async def reply(self, frame: bytes) -> None:
        """By way of the outbox, so that one writer keeps the order; before there is one, directly."""
        await (self.send if self.writer is None else self.outbox.put)(frame.decode())

    async def disconnect(self, code: int) -> None:
        self.leave()

    async def refuse(self, code: int) -> None:
        if not self.closed:
            self.leave()
            await self.close(code)

    def dismiss(self, code: int) -> None:
        """`refuse`, from where nothing may wait."""
        self.farewell = asyncio.create_task(self.refuse(code))

    def dismiss_in(self, seconds: float) -> None:
        """Unless a token, or another one, is shown by then."""
        self.silence_alarm()
        self.alarm = asyncio.get_running_loop().call_later(seconds, self.dismiss, UNAUTHENTICATED)

    def silence_alarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()

    def leave(self) -> None:
        self.closed = True
        self.silence_alarm()
        if self.address is not None:
            hub.leave(self.address.key(), self.outbox)
        if self.writer is not None:
            self.writer.cancel()
        self.outbox.close()
