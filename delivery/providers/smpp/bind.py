"""A bind that stays: made again whenever it is lost, as long as its account is what it was."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.smpp.errors import unreachable
from delivery.providers.smpp.pdus import Command
from delivery.providers.smpp.session import Endpoint, Heard, Late, Session, bound

logger = logging.getLogger(__name__)

_FIRST, _LONGEST = 0.25, 30.0
"""Seconds between two tries to bind, doubled each time."""
_LASTING = 10.0
"""Seconds after which a bind counts as one that held."""
_PATIENCE = 3.0
"""Seconds that messages wait for a bind that was lost; one that was never tried gets the whole timeout."""


class Bind:
    """`is_wanted` is asked before each new try: an account may be gone by then."""

    def __init__(
        self,
        endpoint: Endpoint,
        command: Command,
        heard: Heard,
        late: Late,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> None:
        self._endpoint, self._command, self._heard, self._late = endpoint, command, heard, late
        self._is_wanted = is_wanted
        self._session: Session | None = None
        self._error: ProviderError | None = None
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._stay())

    async def session(self) -> Session:
        """The session, waited for if need be. Raises the `ProviderError` of the last try to bind.

        A refusal is not waited out: the SMSC would have to change its mind.
        """
        patience = min(_PATIENCE, self._endpoint.timeout) if self._error else self._endpoint.timeout
        try:
            async with asyncio.timeout(patience):
                while self._session is None:
                    if self._error is not None and self._error.kind is ErrorKind.ACCOUNT:
                        raise self._error
                    await self._news.wait()
                return self._session
        except TimeoutError:
            raise self._error or unreachable(TimeoutError()) from None

    def descriptor(self) -> int | None:
        return None if self._session is None else self._session.descriptor

    async def close(self) -> None:
        session, self._session = self._session, None
        self._task.cancel()
        await asyncio.wait([self._task])
        if session is not None:
            await session.unbind()

    async def _stay(self) -> None:
        tries = 0
        while True:
            held = await self._once()
            tries = 0 if held > _LASTING else tries + 1
            await asyncio.sleep(_pause(tries))
            if not await self._is_wanted():
                return

    async def _once(self) -> float:
        """One bind from its beginning to its end; how many seconds it held."""
        try:
            session = await bound(self._endpoint, self._command, self._heard, self._late)
        except ProviderError as error:
            self._tell(None, error)
            logger.warning("no bind", extra={"host": self._endpoint.host, "code": error.code})
            return 0.0
        begun = asyncio.get_running_loop().time()
        self._tell(session, None)
        try:
            await session.watch(self._endpoint.enquire_link, self._endpoint.timeout)
        finally:
            self._tell(None, unreachable(ConnectionError()))
        logger.warning("a bind was lost", extra={"host": self._endpoint.host})
        return asyncio.get_running_loop().time() - begun

    def _tell(self, session: Session | None, error: ProviderError | None) -> None:
        self._session, self._error = session, error
        self._news.set()
        self._news.clear()


def _pause(tries: int) -> float:
    """Doubled, with jitter: all workers lost their binds in the same moment."""
    return min(_LONGEST, _FIRST * 2.0**tries) * random.uniform(0.5, 1.0)
