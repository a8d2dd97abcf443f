"""Who commits: what a worker does after a chunk is settled, as fast as it is told to.

`python -m bench.realtime.pusher`, a process of its own. Each order answers when its chunks were committed, by
the chunks' names: `time.monotonic()`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

import django

django.setup(set_prefix=False)  # first: what follows imports models

import redis  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.children import obey  # noqa: E402
from bench.crowd import person  # noqa: E402
from bench.realtime import bare, chunks  # noqa: E402
from notifications import feed  # noqa: E402
from notifications.feed import NewItem  # noqa: E402
from notifications.mailbox import show  # noqa: E402
from notifications.models import FeedItem  # noqa: E402
from notifications.realtime.frames import Address, Frame, encode, pack  # noqa: E402
from notifications.realtime.push import publish, publish_on_commit  # noqa: E402
from preferences.models import Recipient  # noqa: E402
from tenants.context import tenant_scope  # noqa: E402
from tenants.ids import new_id  # noqa: E402

Moments = dict[str, float]
_CONTENT = {
    "type": "info",
    "category": "transactional",
    "title": "Your order A-17 is on its way",
    "body": "It left us today with DHL and should be with you the day after tomorrow.",
    "action": {"url": "https://shop.example/orders/A-17", "text": "View order"},
}


class Pusher:
    def know(self, tenant_id: str, users: int) -> int:
        """Whom it is told to write to: the first of the crowd."""
        self.tenant_id, self.users = UUID(tenant_id), users
        self.names = [person("crowd", number)["id"] for number in range(users)]
        self.addresses = [Address(self.tenant_id, "user", name) for name in self.names]
        with tenant_scope(self.tenant_id):
            known = dict(Recipient.objects.values_list("external_id", "pk"))
        self.ids = [known[name] for name in self.names]
        self._seq = count(1)
        self._loop = asyncio.new_event_loop()
        self._shown = show(FeedItem(id=new_id(), **_CONTENT, data={}, created_at=timezone.now()))
        return users

    def push(self, way: str, first: int, n: int, rate: float | None = None) -> Moments:
        """`n` chunks from number `first` on, as fast as may be or at `rate` messages a second."""
        ways: dict[str, Callable[[int], float]] = {
            "carillon": self._publish,
            "stored": self._store,
            "hub": self._publish_bare,
            "channels": self._group_send,
        }
        began, moments = time.monotonic(), {}
        for place in range(n):
            if rate:
                time.sleep(max(0.0, began + place * chunks.CHUNK / rate - time.monotonic()))
            moments[chunks.name(first + place)] = ways[way](first + place)
        return moments

    def fill(self, user: int, n: int) -> int:
        """Put `n` items into one user's feed, without telling anybody."""
        with tenant_scope(self.tenant_id):
            feed.store(self.tenant_id, [self._item(user, {"chunk": chunks.name(0)}) for _ in range(n)])
        return n

    def _publish(self, chunk: int) -> float:
        """What was committed a moment ago: `show` and `publish` are those of every chunk."""
        committed = time.monotonic()
        publish(self._frames(chunk))
        return committed

    def _frames(self, chunk: int) -> Sequence[Frame]:
        data = {"order": "A-17", "chunk": chunks.name(chunk)}
        return [
            Frame(
                self.addresses[user], "notification:new", {**self._shown, "id": new_id(), "data": data}, seq
            )
            for user, seq in zip(chunks.told(chunk, self.users), self._seq, strict=False)
        ]

    def _store(self, chunk: int) -> float:
        data = {"order": "A-17", "chunk": chunks.name(chunk)}
        items = [self._item(user, data) for user in chunks.told(chunk, self.users)]
        committed: list[float] = []
        with tenant_scope(self.tenant_id):
            frames = feed.store(self.tenant_id, items)
            transaction.on_commit(lambda: committed.append(time.monotonic()))
            publish_on_commit(frames)
        return committed[0]

    def _item(self, user: int, data: dict[str, Any]) -> NewItem:
        whose = {"id": new_id(), "recipient_id": self.ids[user]}
        return NewItem(**_CONTENT, **whose, data=data, created_at=timezone.now())  # type: ignore[arg-type]

    def _publish_bare(self, chunk: int) -> float:
        """As `publish`, on a channel that only the bare hub listens to."""
        committed = time.monotonic()
        _valkey().publish(bare.CHANNEL, pack(self._frames(chunk)))
        return committed

    def _group_send(self, chunk: int) -> float:
        """Channels' way: a message at a time, to the group of its user."""
        committed = time.monotonic()
        self._loop.run_until_complete(self._send_all(self._frames(chunk)))
        return committed

    async def _send_all(self, frames: Sequence[Frame]) -> None:
        layer = bare.layer()
        for frame in frames:
            text = encode(frame.type, frame.data, seq=frame.seq).decode()
            await layer.group_send(bare.group(frame.to.external_id), {"type": "feed.push", "text": text})


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


if __name__ == "__main__":
    pusher = Pusher()
    obey({"know": pusher.know, "push": pusher.push, "fill": pusher.fill})
