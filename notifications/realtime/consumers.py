"""A socket on the live feed: its handshake, its commands, its limits."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from notifications.realtime.commands import ClientFrame, FrameError, answer, parse
from notifications.realtime.frames import encode
from notifications.realtime.subscription import (
    DATABASE_AWAY,
    TOO_MANY,
    TRY_AGAIN,
    RefusedError,
    Subscription,
    in_database,
    token_in_query,
)

logger = logging.getLogger(__name__)

PROTOCOL = "carillon.v1"
AUTHENTICATE_SECONDS = 5
_BEARER = "bearer."


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
    return token_in_query(scope)


class FeedConsumer(AsyncWebsocketConsumer):
    """Channels' side of a socket. Pushes come from the hub."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.subscription = Subscription(self.send, self.close, send)
        self.rate = FrameRate(settings.FEED_FRAMES_PER_SECOND)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.subscription.leave()

    async def dispatch(self, message: Any) -> None:
        """As in Channels, less a turn of its thread to look after a database connection: ours are others."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Always accepts: a browser is told a close code, but not why a handshake was refused."""
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)
        token = offered_token(self.scope)
        if token is None:
            self.subscription.dismiss_in(AUTHENTICATE_SECONDS)
        else:
            await self.enter(token)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.subscription.closed:
            return
        if self.rate.exceeded(time.monotonic()):
            await self.subscription.refuse(TOO_MANY)
            return
        try:
            await self.obey(self.read(text_data))
        except FrameError as error:
            await self.reply([error.frame()])
        except DATABASE_AWAY:
            logger.warning("live feed: the database is away", exc_info=True)
            await self.reply([FrameError("unavailable", "The database is away; try again.").frame()])

    def read(self, text: str | None) -> ClientFrame:
        if text is not None and len(text.encode()) > settings.FEED_MAX_FRAME_BYTES:
            raise FrameError("too_large", f"A frame may have {settings.FEED_MAX_FRAME_BYTES} bytes.")
        return parse(text)

    async def obey(self, frame: ClientFrame) -> None:
        address = self.subscription.address
        if address is None:
            await self.enter(frame.token if frame.type == "authenticate" else None)
        elif frame.type == "authenticate":
            await self.renew(frame)
        elif frame.type == "ping":
            await self.reply([encode("pong", ref=frame.ref)])
        else:
            await self.reply(await in_database(answer, address, frame))

    async def enter(self, token: str | None) -> None:
        try:
            greeting = await self.subscription.enter(token)
        except RefusedError as refused:
            await self.subscription.refuse(refused.code)
            return
        self.subscription.begin_writing(greeting)

    async def renew(self, frame: ClientFrame) -> None:
        """A token that is no good costs nothing: the one before it holds until it expires."""
        try:
            shown = await self.subscription.renew(frame.token)
        except RefusedError as refused:
            code = "unavailable" if refused.code == TRY_AGAIN else "not_authenticated"
            raise FrameError(code, "The token before it still holds.", frame.ref) from None
        if shown is None:
            raise FrameError("permission_denied", "This socket is another recipient's.", frame.ref)
        await self.reply([encode("authenticated", {"expires_at": shown.expires_at}, ref=frame.ref)])

    async def reply(self, frames: Sequence[bytes]) -> None:
        """By way of the outbox, which keeps the order; before it is open, directly."""
        if self.subscription.writing:
            await self.subscription.outbox.put(frames)
        else:
            for frame in frames:
                await self.send(frame.decode())

    async def disconnect(self, code: int) -> None:
        self.subscription.leave()
