"""Leads through the chapters: sends, waits for what has to come, looks again at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import aiohttp

from config.tour.chapters import CHAPTERS, Chapter
from config.tour.clients import Browser, Sandbox, Service, open_browser
from config.tour.evidence import Found, has_ended, missing
from config.tour.telling import Teller
from config.tour.tenant import Prepared
from config.tour.vendors import Round, Vendor, Word, vendors
from config.tour.wishes import Heard, Wishes

RECIPIENT = "ann"
PATIENCE = 20.0
"""Seconds that a chapter waits for what has to come."""
_PAUSE = 0.05
_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Guide:
    """Where to look, and whom to tell."""

    service: Service
    sandbox: Sandbox
    browser: Browser
    teller: Teller

    async def lead(self, vendors: Round, asked: Sequence[Vendor]) -> list[str]:
        """Through all chapters, and by all vendors that send receipts; what was missing, a line each."""
        await vendors.introduce(asked)
        seen = [(chapter, await self._show(number, chapter)) for number, chapter in enumerate(CHAPTERS, 1)]
        wishes = Wishes(self.service, self.sandbox)
        heard = await self._listen(wishes)
        words = await self._hear(vendors, asked)
        heard += [each async for each in wishes.look_back()]
        # Once more at the end: by now a second copy of anything would have come too.
        return [
            line
            for chapter, found in seen
            for line in _complaints(chapter, await self._again(chapter, found))
        ] + [line for told in (heard, words) for each in told for line in each.complaints()]

    async def _listen(self, wishes: Wishes) -> list[Heard]:
        self.teller.begin_wishes(len(CHAPTERS) + 1)
        with self.teller.waiting("Waiting for what Kim gets, and does not get"):
            heard = [each async for each in wishes.tell()]
        self.teller.show_wishes(heard)
        return heard

    async def _hear(self, vendors: Round, asked: Sequence[Vendor]) -> list[Word]:
        self.teller.begin_round(len(CHAPTERS) + 2)
        with self.teller.waiting("Waiting for each vendor's word"):
            words = await vendors.ask(asked)
        self.teller.show_round(words)
        return words

    async def _show(self, number: int, chapter: Chapter) -> Found:
        self.teller.begin(number, chapter)
        fault = chapter.fault
        async with self.sandbox.failing(fault.name, fault.fault) if fault else nullcontext():
            accepted = await self.service.send(dict(chapter.request))
            self.teller.accepted(accepted)
            with self.teller.waiting(chapter.waiting):
                found = await self._follow(chapter, Found(accepted, {}, []))
        self.teller.show(chapter, found, is_complete=not list(missing(chapter.expected, found)))
        return found

    async def _follow(self, chapter: Chapter, found: Found) -> Found:
        """Until nothing more is to come, or patience ends."""
        deadline = time.monotonic() + PATIENCE
        found = await self._again(chapter, found)
        while not has_ended(chapter.expected, found) and time.monotonic() < deadline:
            await asyncio.sleep(_PAUSE)
            found = await self._again(chapter, found)
        return found

    async def _again(self, chapter: Chapter, found: Found) -> Found:
        id = found.accepted["id"]
        detail = await self.service.look(id)
        arrivals = await self.sandbox.arrivals(chapter.order, found.accepted_at)
        return replace(found, detail=detail, arrivals=[*arrivals, *self.browser.arrivals(id)])


def _complaints(chapter: Chapter, found: Found) -> Iterator[str]:
    for line in missing(chapter.expected, found):
        yield f"{chapter.title}: {line}"


async def lead(url: str, sandbox_url: str, prepared: Prepared, teller: Teller) -> list[str]:
    """The whole tour; what was missing. Raises `Refused`."""
    headers = {"Authorization": f"Bearer {prepared.key}"}
    async with (
        aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as carillon,
        aiohttp.ClientSession(timeout=_TIMEOUT) as outside,
    ):
        service, sandbox = Service(carillon, url), Sandbox(outside, sandbox_url)
        token = await service.recipient_token(RECIPIENT)
        async with open_browser(url, RECIPIENT, token) as browser:
            guide = Guide(service, sandbox, browser, teller)
            return await guide.lead(Round(url, service, sandbox), vendors(prepared.accounts))
