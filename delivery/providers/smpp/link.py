"""An account's binds in this process, and what comes and goes by them. Lives on the binds' own loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from delivery.providers.base import AccountGone, Inbound, ParsedReceipt, Report
from delivery.providers.smpp.bind import Bind
from delivery.providers.smpp.joining import Joining, Part
from delivery.providers.smpp.pdus import Command, Pdu, Status, read_deliver_sm
from delivery.providers.smpp.receipts import IdFormat, read
from delivery.providers.smpp.session import Endpoint, Origin, Session
from delivery.providers.smpp.window import Window

logger = logging.getLogger(__name__)

_AT_ONCE = 500
"""Receipts that are kept in one go."""
_REMEMBERED = 10_000
"""Messages sent of late, whose receipts can be here before their attempts are recorded."""
_NO_ID = b"\0"
LOOK_EVERY = 30.0
"""Seconds between two looks at whether the account is still there."""

MODES = {
    "transceiver": (Command.BIND_TRANSCEIVER,),
    "separate": (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER),
    "transmitter": (Command.BIND_TRANSMITTER,),
}
"""The binds of each mode, the one that sends first."""


@dataclass(frozen=True)
class Terms:
    """How an account is bound."""

    endpoint: Endpoint
    mode: str
    window: int
    ids: IdFormat


@dataclass(frozen=True, slots=True)
class _Heard:
    session: Session
    pdu: Pdu
    item: ParsedReceipt | Inbound


class Link:
    def __init__(self, terms: Terms, report: Report | None, reporter: Executor) -> None:
        self._terms, self._report, self._reporter = terms, report, reporter
        self._origins: dict[str, Origin] = {}
        self._heard: list[_Heard] = []
        self._joining = Joining()
        self._keeping: asyncio.Task[None] | None = None
        self.window = Window(terms.window)
        self.is_gone = False
        self._binds = [
            Bind(terms.endpoint, command, self._hear, self._late, self._is_wanted)
            for command in MODES[terms.mode]
        ]
        self._looking = asyncio.create_task(self._look())

    async def session(self) -> Session:
        """The bind that sends. Raises `ProviderError` when there is none."""
        return await self._binds[0].session()

    def message_id(self, answer: Pdu, origin: Origin) -> str:
        """The id in a submit_sm_resp. Its receipts will bring the reference back, while it is remembered."""
        id = self._terms.ids.of_answer(answer.text)
        if id:
            self._origins[id] = origin
        if len(self._origins) > _REMEMBERED:
            del self._origins[next(iter(self._origins))]
        return id

    async def close(self) -> None:
        self.is_gone = True
        self._looking.cancel()
        await self._close_binds()
        await self._hand_over(self._joining.all())

    async def _close_binds(self) -> None:
        await asyncio.gather(*(bind.close() for bind in self._binds))

    def descriptors(self) -> list[int]:
        """The files that its connections are to the system."""
        return [number for bind in self._binds if (number := bind.descriptor()) is not None]

    # — whether it is still wanted

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._hand_over(self._joining.overdue(asyncio.get_running_loop().time()))
            if not await self._is_wanted():
                await self._close_binds()
                await self._hand_over(self._joining.all())
                return

    async def _is_wanted(self) -> bool:
        if self._report is None or self.is_gone:
            return not self.is_gone
        try:
            await self._run_report([])
        except AccountGone:
            self.is_gone = True
        except Exception:  # who cannot be asked has not said no
            logger.warning("an account cannot be looked for")
        return not self.is_gone

    # — what comes in

    def _late(self, answer: Pdu, origin: Origin) -> None:
        if answer.status == Status.OK:
            self.message_id(answer, origin)

    def _hear(self, session: Session, pdu: Pdu) -> None:
        """Answered when it is kept; what cannot be read, or means nothing, need not come again."""
        delivered = read_deliver_sm(pdu)
        if delivered is None:
            logger.warning("a deliver_sm cannot be read")
            session.answer(pdu, Status.NEVER, _NO_ID)
            return
        item = self._whole(read(delivered, self._terms.ids))
        if item is None:
            session.answer(pdu, Status.OK, _NO_ID)
            return
        self._heard.append(_Heard(session, pdu, self._with_origin(item)))
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    def _whole(self, item: ParsedReceipt | Inbound | Part | None) -> ParsedReceipt | Inbound | None:
        """A part is answered at once, lest the SMSC wait with the next; the last when the whole is kept."""
        if isinstance(item, Part):
            return self._joining.add(item, asyncio.get_running_loop().time())
        return item

    async def _hand_over(self, unfinished: Sequence[Inbound]) -> None:
        """Of these no more will come. Those that cannot be kept now are handed over again."""
        if unfinished:
            await self._kept(unfinished)

    def _with_origin(self, item: ParsedReceipt | Inbound) -> ParsedReceipt | Inbound:
        if isinstance(item, ParsedReceipt) and (origin := self._origins.get(item.message_id)):
            return replace(item, reference=origin.reference, parts=origin.parts)
        return item

    async def _keep(self) -> None:
        """While some are written down others come: so there are as many at once as there is load."""
        while self._heard:
            batch, self._heard = self._heard[:_AT_ONCE], self._heard[_AT_ONCE:]
            status = await self._kept([heard.item for heard in batch])
            for heard in batch:
                heard.session.answer(heard.pdu, status, _NO_ID)

    async def _kept(self, items: Sequence[ParsedReceipt | Inbound]) -> Status:
        try:
            await self._run_report(items)
        except Exception:
            logger.exception("receipts cannot be kept", extra={"number": len(items)})
            return Status.TRY_AGAIN
        for item in items:
            if isinstance(item, Inbound):
                self._joining.kept(item.event_id)
        return Status.OK

    async def _run_report(self, items: Sequence[ParsedReceipt | Inbound]) -> None:
        if self._report is None:
            raise AccountGone
        await asyncio.get_running_loop().run_in_executor(self._reporter, self._report, items)
