"""What a person wants, and that it is heard: a quiet night, much of it together, and no more of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from config.tour.clients import Sandbox, Service
from config.tour.evidence import LOST
from config.tour.tenant import KIM as MAIL_OF_KIM
from config.tour.tenant import close_digests

KIM = "kim"
HELD, LEFT, GATHERED = "K-101", "K-102", "K-103"
"""Each in every text of its messages, and in no other's: a newsletter, a later one, three comments."""
_ARRIVE = {HELD: 1, LEFT: 0, GATHERED: 1}
_KEY = f"comments on {GATHERED}"
_ENDS = {"sent", "delivered", *LOST}
PATIENCE = 20.0
_PAUSE = 0.05

Detail = Mapping[str, Any]
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Heard:
    """What Kim or the shop `did`, what `became` of it, and whether that is what Kim wanted."""

    did: str
    became: str
    is_right: bool

    def complaints(self) -> Iterator[str]:
        if not self.is_right:
            yield f"{self.did}: {self.became}"


class Wishes:
    """Asks for them as a service and as a mail program would; `look_back` once nothing more can come."""

    def __init__(self, service: Service, sandbox: Sandbox) -> None:
        self._service, self._sandbox = service, sandbox
        self._began = dt.datetime.now(dt.UTC)

    async def tell(self) -> AsyncIterator[Heard]:
        await self._meet()
        held = await self._newsletter(HELD)
        yield await self._held(held)
        yield await self._woken(held)
        yield await self._gathered()
        yield await self._left()
        yield await self._spared()

    async def look_back(self) -> AsyncIterator[Heard]:
        """Each mail once more: what came twice, or came after Kim had left, has come by now."""
        for words, wanted in _ARRIVE.items():
            came = len(await self._mails(words))
            if came != wanted:
                yield Heard(f"the mail {words}", f"came {came} times, not {wanted}", is_right=False)

    async def _meet(self) -> None:
        """Kim, without a wish: whatever an earlier tour left is gone."""
        person = {"email": MAIL_OF_KIM, "locale": "en", "timezone": "Europe/Berlin"}
        await self._service.put(f"recipients/{KIM}", person)
        await self._service.put(f"recipients/{KIM}/preferences", {})
        await self._service.patch(f"recipients/{KIM}/preferences", {"quiet_hours": _around(self._began)})

    async def _newsletter(self, words: str) -> str:
        data = {"name": "Kim", "headline": f"New in spring: {words}", "story": "Linen, and light colours."}
        body = {"recipient": KIM, "template": "newsletter", "data": data, "channels": ["email"]}
        return str((await self._service.send(body))["id"])

    async def _held(self, id: str) -> Heard:
        detail = await _until(lambda: self._service.look(id), lambda seen: "deferred" in _statuses(seen))
        return Heard("Kim's quiet hours have begun; a newsletter", *_waiting(detail))

    async def _woken(self, id: str) -> Heard:
        await self._service.patch(f"recipients/{KIM}/preferences", {"quiet_hours": None})
        switched = time.monotonic()
        came = await self._came(id, HELD)
        after = f"it left at once, {(time.monotonic() - switched) * 1000:,.0f} ms later"
        return Heard("Kim switches them off", after if came else "it never came", came)

    async def _comment(self, who: str) -> str:
        event = {"who": who, "what": f"commented on {GATHERED}"}
        wish = {"recipient": KIM, "template": "activity-digest", "data": event, "channels": ["email"]}
        accepted = await self._service.send({**wish, "digest": {"key": _KEY, "window": "10m"}})
        return str(accepted["id"])

    async def _gathered(self) -> Heard:
        ids = [await self._comment(who) for who in ("Ann", "Bob", "Cleo")]
        closed = await asyncio.to_thread(close_digests, KIM, _KEY, of=len(ids))
        came = closed and await self._came(ids[-1], GATHERED)
        said = f"one mail: {(await self._mails(GATHERED))[0]['subject']}" if came else "no mail"
        return Heard("three comments; their ten minutes are cut short", said, bool(came))

    async def _left(self) -> Heard:
        mail = next(iter(await self._mails(HELD)), None)
        answer = await self._sandbox.unsubscribe(mail["id"]) if mail else {"status": 0}
        said = f"the mail's List-Unsubscribe answered {answer['status']}"
        return Heard("Kim presses the mail program's Unsubscribe", said, answer["status"] == 200)

    async def _spared(self) -> Heard:
        id = await self._newsletter(LEFT)
        detail = await _until(lambda: self._service.look(id), lambda seen: seen["status"] == "suppressed")
        reason = _reason(detail)
        is_right = (detail["status"], reason) == ("suppressed", "category_off")
        return Heard("the next newsletter", f"{detail['status']}: {reason}", is_right)

    async def _came(self, id: str, words: str) -> bool:
        """Whether there is a mail, as soon as what became of the notification is known."""
        await _until(lambda: self._service.look(id), lambda seen: seen["status"] in _ENDS)
        return bool(await self._mails(words))

    async def _mails(self, words: str) -> list[dict[str, Any]]:
        return await self._sandbox.messages(words, self._began)


async def _until(look: Callable[[], Awaitable[Seen]], has_come: Callable[[Seen], bool]) -> Seen:
    """What is seen once it has come, or when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = await look()
        if has_come(seen) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(_PAUSE)


def _around(now: dt.datetime) -> dict[str, str]:
    """Quiet hours that began an hour ago and last for two more."""
    start, end = (now + dt.timedelta(hours=hours) for hours in (-1, 2))
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "timezone": "UTC"}


def _statuses(detail: Detail) -> set[str]:
    return {delivery["status"] for delivery in detail["deliveries"]}


def _waiting(detail: Detail) -> tuple[str, bool]:
    """What is said of a delivery that waits, and whether it waits for the end of quiet hours."""
    delivery = next(iter(detail["deliveries"]), None)
    if delivery is None or delivery["status"] != "deferred":
        return (delivery["status"] if delivery else detail["status"]), False
    until = dt.datetime.fromisoformat(delivery["due_at"])
    return f"deferred: {delivery['reason']}, until {until:%H:%M} UTC", delivery["reason"] == "quiet_hours"


def _reason(detail: Detail) -> str:
    """Of the last decision about it."""
    return next((step["reason"] for step in reversed(detail["trace"]) if step.get("reason")), "")
