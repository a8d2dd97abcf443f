"""One connection to an SMSC, from bind to unbind: requests and their answers, both ways."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.smpp.errors import line_lost, no_answer, not_bound, refused, unreachable
from delivery.providers.smpp.pdus import ANSWER, Command, Garbled, Pdu, Status, bind_body, frame, unframe

logger = logging.getLogger(__name__)

_LAST = 0x7FFF_FFFF  # the greatest sequence_number (section 3.2)
_REMEMBERED = 10_000
_FAREWELL = 1.0


@dataclass(frozen=True)
class Endpoint:
    """Where an SMSC is and who we are there. Times are in seconds."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str
    tls: ssl.SSLContext | None
    enquire_link: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Origin:
    """What a submit_sm is of: the message's reference, and how many parts it has."""

    reference: str
    parts: int


Heard = Callable[["Session", Pdu], None]
"""Takes a deliver_sm, which is to be answered on the session it came by."""
Late = Callable[[Pdu, Origin], None]
"""Takes the answer to a request that was given up, and where that came from."""


class Session(asyncio.Protocol):
    """`closed` is done when the connection is. Nothing is ever written twice."""

    def __init__(self, heard: Heard, late: Late) -> None:
        self._heard, self._late = heard, late
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._given_up: dict[int, Origin] = {}
        self._received = bytearray()
        self._sequence = 0
        self._last_heard = 0.0
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # — what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, and does not inherit
        self._last_heard = self._loop.time()

    def data_received(self, data: bytes) -> None:
        self._last_heard = self._loop.time()
        self._received += data
        try:
            for pdu in unframe(self._received):
                self._take(pdu)
        except Garbled:
            logger.warning("an SMSC sends what is no SMPP")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(line_lost())
        if not self.closed.done():
            self.closed.set_result(None)

    @property
    def descriptor(self) -> int:
        number: int = self._transport.get_extra_info("socket").fileno()
        return number

    # — what we ask

    async def request(
        self,
        command: Command,
        body: bytes = b"",
        *,
        timeout: float,  # noqa: ASYNC109
        origin: Origin | None = None,
    ) -> Pdu:
        """The answer, whatever its status. Raises `ProviderError`: unknown, once the request was written.

        An answer that comes after the timeout is handed to `late`, if the request has an origin.
        """
        if self._transport.is_closing():
            raise not_bound()
        self._sequence = sequence = self._sequence % _LAST + 1
        answer: asyncio.Future[Pdu] = self._loop.create_future()
        self._asked[sequence] = answer
        self._transport.write(frame(command, Status.OK, sequence, body))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            self._give_up(sequence, origin)
            raise no_answer() from None
        finally:
            del self._asked[sequence]

    def _give_up(self, sequence: int, origin: Origin | None) -> None:
        if origin is not None:
            self._given_up[sequence] = origin
        if len(self._given_up) > _REMEMBERED:
            del self._given_up[next(iter(self._given_up))]

    def answer(self, request: Pdu, status: Status, body: bytes = b"") -> None:
        if not self._transport.is_closing():
            self._transport.write(frame(request.command | ANSWER, status, request.sequence, body))

    async def watch(self, interval: float, timeout: float) -> None:  # noqa: ASYNC109
        """Ask whether the line holds whenever it was silent (section 4.11), and end when it does not."""
        while not self.closed.done():
            silent = self._loop.time() - self._last_heard
            if silent < interval:
                await asyncio.wait([self.closed], timeout=interval - silent)
                continue
            try:
                await self.request(Command.ENQUIRE_LINK, timeout=timeout)
            except ProviderError:
                await self.drop()

    async def unbind(self) -> None:
        """Take leave (section 4.2), and close whether it is answered or not."""
        try:
            await self.request(Command.UNBIND, timeout=_FAREWELL)
        except ProviderError:
            pass
        finally:
            self._transport.close()
            await self.closed

    async def drop(self) -> None:
        """Close without a word."""
        self._transport.abort()
        await self.closed

    # — what the SMSC says

    def _take(self, pdu: Pdu) -> None:
        if pdu.command & ANSWER:
            self._take_answer(pdu)
        elif pdu.command == Command.DELIVER_SM:
            self._heard(self, pdu)
        elif pdu.command == Command.ENQUIRE_LINK:
            self.answer(pdu, Status.OK)
        elif pdu.command == Command.UNBIND:
            self.answer(pdu, Status.OK)
            self._transport.close()
        else:
            nack = frame(Command.GENERIC_NACK, Status.INVALID_COMMAND, pdu.sequence)
            self._transport.write(nack)

    def _take_answer(self, pdu: Pdu) -> None:
        answer = self._asked.get(pdu.sequence)
        if answer is not None and not answer.done():
            answer.set_result(pdu)
        elif (origin := self._given_up.pop(pdu.sequence, None)) is not None:
            self._late(pdu, origin)


async def bound(endpoint: Endpoint, command: Command, heard: Heard, late: Late) -> Session:
    """A session that the SMSC has let in (section 4.1). Raises `ProviderError`: nothing was sent."""
    try:
        async with asyncio.timeout(endpoint.timeout):
            session = await _connected(endpoint, heard, late)
    except (OSError, TimeoutError) as error:
        raise unreachable(error) from None
    try:
        await _bind(session, endpoint, command)
    except BaseException:
        await session.drop()
        raise
    return session


async def _connected(endpoint: Endpoint, heard: Heard, late: Late) -> Session:
    _, session = await asyncio.get_running_loop().create_connection(
        lambda: Session(heard, late), endpoint.host, endpoint.port, ssl=endpoint.tls
    )
    return session


async def _bind(session: Session, endpoint: Endpoint, command: Command) -> None:
    body = bind_body(endpoint.system_id, endpoint.password, endpoint.system_type)
    try:
        answer = await session.request(command, body, timeout=endpoint.timeout)
    except ProviderError as error:
        words = f"no bind: {error.message}"
        raise ProviderError(ErrorKind.TRANSIENT, words, code="bind_failed") from None
    if answer.status != Status.OK:
        raise refused(answer.status, ErrorKind.ACCOUNT)
