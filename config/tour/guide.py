"""Leads through the chapters: sends, waits for what has to come, looks again at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import aiohttp

from config.tour.chapters import CHAPTERS, Chapter
from config.tour.clients import Browser, Sandbox, Service, open_browser
from config.tour.evidence import Found, has_ended, missing
from config.tour.telling import Teller

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

    async def lead(self) -> list[str]:
        """Through all chapters; what was missing, a line each."""
        seen = [(chapter, await self._show(number, chapter)) for number, chapter in enumerate(CHAPTERS, 1)]
        # Once more at the end: by now a second copy of anything would have come too.
        return [
            line
            for chapter, found in seen
            for line in _complaints(chapter, await self._again(chapter, found))
        ]

    async def _show(self, number: int, chapter: Chapter) -> Found:
        self.teller.begin(number, chapter)
        fault = chapter.fault
        async with self.sandbox.failing(fault.name, fault.status) if fault else nullcontext():
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


async def lead(url: str, sandbox_url: str, key: str, teller: Teller) -> list[str]:
    """The whole tour; what was missing. Raises `Refused`."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as carillon,
        aiohttp.ClientSession(timeout=_TIMEOUT) as outside,
    ):
        service = Service(carillon, url)
        token = await service.recipient_token(RECIPIENT)
        async with open_browser(url, RECIPIENT, token) as browser:
            return await Guide(service, Sandbox(outside, sandbox_url), browser, teller).lead()
