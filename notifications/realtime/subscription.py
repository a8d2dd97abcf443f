"""An open connection to a live feed, by websocket or event stream: who it is, and how long it may stay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from notifications.realtime import direct
from notifications.realtime.commands import greet
from notifications.realtime.frames import Address
from notifications.realtime.hub import Hub
from notifications.realtime.outbox import Outbox
from notifications.realtime.transports import give_up_after, transport_of
from tenants.authentication import is_ours, read_recipient_token, require_active
from tenants.oidc import read_user_token
from tenants.problems import Problem
from tenants.recipient_tokens import RecipientToken

UNAUTHENTICATED, TOO_SLOW, TOO_MANY = 4401, 4408, 4429
RESTART, TRY_AGAIN = 1012, 1013  # https://www.iana.org/assignments/websocket/websocket.xhtml
DATABASE_AWAY = (OperationalError, InterfaceError)
_FAREWELL = 10.0  # seconds that a peer has to take its close frame, before the connection is cut

hub = Hub()


class RefusedError(Exception):
    """Nobody is let in. `code` is a websocket's close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def token_in_query(scope: Any) -> str | None:
    """`?token=`, for browsers, which cannot set a header on what opens a stream."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["token"][0] if "token" in query else None


async def in_database(function: Callable[..., Any], *args: Any) -> Any:
    """Sockets do not queue for one database thread, as Channels' default would have them."""
    return await database_sync_to_async(function, thread_sensitive=False)(*args)


async def read(token: str | None) -> RecipientToken:
    """Ours at once; an identity provider's where it may be asked for its keys. Raises `RefusedError`."""
    try:
        if is_ours(token or ""):
            return read_recipient_token(token or "")
    except AuthenticationFailed:
        raise RefusedError(UNAUTHENTICATED) from None
    shown: RecipientToken = await ask_database(read_user_token, token)
    return shown


async def ask_database(function: Callable[..., Any], *args: Any) -> Any:
    """Raises `RefusedError`."""
    try:
        return await in_database(function, *args)
    except AuthenticationFailed:
        raise RefusedError(UNAUTHENTICATED) from None
    except (*DATABASE_AWAY, Problem):
        raise RefusedError(TRY_AGAIN) from None


def address_of(shown: RecipientToken) -> Address:
    return Address(shown.tenant_id, shown.type, shown.external_id)


def _greeting(address: Address) -> bytes:
    """In one go: who comes back after a restart comes with everybody else."""
    require_active(address.tenant_id)
    return greet(address)


class Subscription:
    """`write` sends a frame; `hang_up` tells the other side a close code and ends. `send` is the server's."""

    address: Address | None = None
    closed = False
    why: int | None = None
    """The close code, once we have parted."""

    def __init__(
        self, write: Callable[[str], Awaitable[None]], hang_up: Callable[[int], Awaitable[None]], send: Any
    ) -> None:
        self.outbox = Outbox(write, lambda: self.dismiss(TOO_SLOW), direct.writer(send))
        self._hang_up = hang_up
        self._transport = transport_of(send)
        self._alarm: asyncio.TimerHandle | None = None
        self._farewell: asyncio.Task[None] | None = None
        give_up_after(self._transport, settings.FEED_PATIENCE_SECONDS)

    @property
    def writing(self) -> bool:
        return self.outbox.is_open

    async def enter(self, token: str | None) -> bytes:
        """Become the token's recipient until it expires; the first frame. Raises `RefusedError`.

        Registered before the feed is read, writing after: nothing falls between that frame and pushes.
        """
        self.silence_alarm()
        shown = await read(token)
        address = address_of(shown)
        doors.admit(self, address)
        self.address = address
        await hub.join(address.key(), self.outbox)
        greeting: bytes = await ask_database(_greeting, address)
        self.stay_until(shown)
        return greeting

    async def renew(self, token: str | None) -> RecipientToken | None:
        """Stay as long as a newer token says; None if it is somebody else's. Raises `RefusedError`."""
        shown = await read(token)
        if address_of(shown) != self.address:
            return None
        await ask_database(require_active, shown.tenant_id)
        self.stay_until(shown)
        return shown

    def begin_writing(self, *first: bytes) -> None:
        if not self.closed:
            self.outbox.open(*first)

    def stay_until(self, shown: RecipientToken) -> None:
        self.dismiss_in((shown.expires_at - timezone.now()).total_seconds())

    def dismiss_in(self, seconds: float) -> None:
        """Unless a token, or another one, is shown by then."""
        self.silence_alarm()
        if not self.closed:
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.dismiss, UNAUTHENTICATED)

    def silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    async def refuse(self, code: int) -> None:
        """Part, and tell why. Who does not take that in is cut off."""
        if self.closed:
            return
        self.why = code
        self.leave()
        if self._transport is not None:
            asyncio.get_running_loop().call_later(_FAREWELL, self._transport.abort)
        await self._hang_up(code)

    def dismiss(self, code: int) -> None:
        """`refuse`, from where nothing may wait."""
        self._farewell = asyncio.create_task(self.refuse(code))

    def leave(self) -> None:
        self.closed = True
        self.silence_alarm()
        doors.release(self)
        if self.address is not None:
            hub.leave(self.address.key(), self.outbox)
        self.outbox.close()


class Doors:
    """Who is inside, in this web process, and whether anybody else may come."""

    def __init__(self) -> None:
        self._inside: set[Subscription] = set()
        self._empty = asyncio.Event()
        self.closing = False

    def admit(self, subscription: Subscription, address: Address) -> None:
        """Raises `RefusedError`."""
        if self.closing:
            raise RefusedError(RESTART)
        if hub.sockets(address.key()) >= settings.FEED_SOCKETS_PER_RECIPIENT:
            raise RefusedError(TOO_MANY)
        self._inside.add(subscription)

    def release(self, subscription: Subscription) -> None:
        self._inside.discard(subscription)
        if self.closing and not self._inside:
            self._empty.set()

    async def empty(self, seconds: float) -> None:
        """Send everybody away, evenly over so many seconds and in no order, so that they come back so too."""
        self.closing = True
        loop = asyncio.get_running_loop()
        leaving = random.sample(list(self._inside), len(self._inside))
        for place, subscription in enumerate(leaving):
            loop.call_later(seconds * place / len(leaving), subscription.dismiss, RESTART)
        if leaving:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds + 1)


doors = Doors()
