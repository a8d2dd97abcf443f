"""Every vendor that says afterwards what became of a message: one message by each, and its word for it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from config import sandboxed
from config.seeding import DEMO_ACCOUNTS
from config.tour.clients import Sandbox, Service
from config.tour.evidence import LOST
from config.tour.tenant import pinned

PATIENCE = 20.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Vendor:
    """A seeded account of one that sends receipts."""

    account: str
    id: UUID
    channel: str
    provider: str

    @property
    def request(self) -> dict[str, Any]:
        words = f"Say that this arrived, {self.account}"
        template = {"name": "order_ready", "language": "en", "parameters": [self.account]}
        return {
            "recipient": "ann",
            "content": {"subject": words, "title": words, "body": f"{words}."},
            "channels": [[self.channel]],
            "overrides": {"whatsapp": {"template": template}} if self.channel == "whatsapp" else {},
        }


def vendors(accounts: Mapping[str, UUID]) -> list[Vendor]:
    """One of each that says what becomes of messages, by the ids of the seeded accounts."""
    of = {(seed.channel, seed.provider): seed.name for seed in reversed(DEMO_ACCOUNTS)}
    return [
        Vendor(name, accounts[name], channel, provider)
        for (channel, provider), name in reversed(of.items())
        if provider in sandboxed.TELLS
    ]


@dataclass(frozen=True, slots=True)
class Word:
    """What became of one vendor's message, and how long after it was accepted that was known."""

    vendor: Vendor
    by: str
    status: str
    sent_after: dt.timedelta | None
    heard_after: dt.timedelta | None

    def complaints(self) -> Iterator[str]:
        if self.by != self.vendor.account:
            yield f"{self.vendor.account}: {self.by or 'nobody'} was used instead"
        elif self.status != "delivered":
            yield f"{self.vendor.account}: no receipt, the delivery is {self.status}"


class Round:
    """Channel beside channel; within one, a vendor at a time, pinned as an operator would."""

    def __init__(self, url: str, service: Service, sandbox: Sandbox) -> None:
        self._url, self._service, self._sandbox = url, service, sandbox

    async def introduce(self, vendors: Sequence[Vendor]) -> None:
        """Tell those whose dashboard would ask for it where to post what becomes of messages."""
        for vendor in vendors:
            if hook := sandboxed.hook_of(vendor.provider, vendor.account):
                await self._sandbox.posts_to(hook.name, self._hook_url(vendor, hook.login), hook.secret)

    async def ask(self, vendors: Sequence[Vendor]) -> list[Word]:
        by_channel: dict[str, list[Vendor]] = defaultdict(list)
        for vendor in vendors:
            by_channel[vendor.channel].append(vendor)
        heard = await asyncio.gather(*(self._ask_in_turn(group) for group in by_channel.values()))
        return [word for words in heard for word in words]

    async def _ask_in_turn(self, vendors: Sequence[Vendor]) -> list[Word]:
        return [await self._ask(vendor) for vendor in vendors]

    async def _ask(self, vendor: Vendor) -> Word:
        async with pinned(vendor.id):
            accepted = await self._service.send(vendor.request)
            return await self._listen(vendor, accepted)

    def _hook_url(self, vendor: Vendor, login: str) -> str:
        place = urlsplit(self._url)
        host = f"{login}@{place.netloc}" if login else place.netloc
        return f"{place.scheme}://{host}/webhooks/{vendor.provider}/{vendor.id}"

    async def _listen(self, vendor: Vendor, accepted: Mapping[str, Any]) -> Word:
        began, deadline = dt.datetime.fromisoformat(accepted["created_at"]), time.monotonic() + PATIENCE
        while True:
            detail = await self._service.look(accepted["id"])
            delivery = next(iter(detail["deliveries"]), None)
            has_come = delivery is not None and delivery["status"] == "delivered"
            if has_come or detail["status"] in LOST or time.monotonic() > deadline:
                return _word(vendor, delivery, began, dt.datetime.now(dt.UTC) if has_come else None)
            await asyncio.sleep(_PAUSE)


def _word(
    vendor: Vendor, delivery: Mapping[str, Any] | None, began: dt.datetime, heard_at: dt.datetime | None
) -> Word:
    if delivery is None:
        return Word(vendor, "", "not planned", None, None)
    sent_at = delivery["sent_at"]
    return Word(
        vendor,
        by=delivery["attempts"][-1]["account"] if delivery["attempts"] else "",
        status=delivery["status"],
        sent_after=dt.datetime.fromisoformat(sent_at) - began if sent_at else None,
        heard_after=heard_at - began if heard_at else None,
    )
