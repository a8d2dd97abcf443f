"""What the vendors received: in memory, bounded, newest first."""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

CAPACITY = 10_000
MAX_BYTES = 256 * 1024 * 1024
SEARCH_DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, as far as its channel has such a part. `raw` is what came over the wire."""

    raw: str
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    title: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


# From the clock, so that ids keep rising when the sandbox is started again.
_ids = itertools.count(time.time_ns() // 1_000_000)


@dataclass(eq=False, kw_only=True)
class Message:
    """One message to one recipient. `parse` is called when somebody first looks: accepting stays cheap.

    `state` is what the vendor learns after accepting (its id, status, receipts posted); shown in `data`.
    `key` is the vendor's own id, if it can be asked for by that. `size` is in bytes.
    """

    channel: str
    provider: str
    account: str
    to: str
    sender: str
    size: int
    parse: Callable[[], Content]
    state: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    id: int = field(default_factory=lambda: next(_ids))
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def content(self) -> Content:
        return self.parse()

    def mentions(self, words: str) -> bool:
        said = self.content
        parts = (
            self.to,
            self.sender,
            self.account,
            said.subject,
            said.title,
            said.text,
        )
        return any(words in part.casefold() for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        said = self.content
        return {
            "id": str(self.id),
            "channel": self.channel,
            "provider": self.provider,
            "account": self.account,
            "to": self.to,
            "from": self.sender,
            "subject": said.subject,
            "text": said.text,
            "html": said.html,
            "title": said.title,
            "data": {**said.data, **self.state},
            "headers": said.headers,
            "received_at": self.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "raw": said.raw,
        }


class Filters(BaseModel):
    """Query of `GET /api/messages`. `since` is a message id (exclusive) or an RFC 3339 time (inclusive)."""

    model_config = ConfigDict(extra="forbid")

    channel: str | None = None
    provider: str | None = None
    account: str | None = None
    to: str | None = None
    q: str | None = Field(default=None, description=f"words, looked for in the newest {SEARCH_DEPTH}")
    since: int | datetime | None = None
    limit: int = Field(default=100, ge=1, le=CAPACITY)

    @field_validator("since", mode="before")
    @classmethod
    def _id_or_time(cls, value: str) -> int | datetime:
        if value.isdecimal():
            return int(value)
        try:
            moment = datetime.fromisoformat(value.replace(" ", "+"))  # an unescaped + arrives as a space
        except ValueError:
            raise ValueError("give the id of a message or a time like 2026-01-31T09:30:00Z") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def accept(self, message: Message) -> bool:
        wanted = (
            (self.channel, message.channel),
            (self.provider, message.provider),
            (self.account, message.account),
        )
        if any(want is not None and want != got for want, got in wanted):
            return False
        if self.to is not None and self.to.casefold() != message.to.casefold():
            return False
        return self.q is None or message.mentions(self.q.casefold())

    def reach(self, message: Message) -> bool:
        if self.since is None:
            return True
        return message.id > self.since if isinstance(self.since, int) else message.received_at >= self.since


class Store:
    def __init__(self, capacity: int = CAPACITY, max_bytes: int = MAX_BYTES) -> None:
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self._by_key: dict[str, Message] = {}
        self._capacity, self._max_bytes, self._bytes = capacity, max_bytes, 0
        self._watchers: set[asyncio.Event] = set()

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        self._messages[message.id] = message
        if message.key is not None:
            self._by_key[message.key] = message
        self._bytes += message.size
        self._forget_oldest()
        self.changed()

    def get(self, message_id: int) -> Message | None:
        return self._messages.get(message_id)

    def by_key(self, key: str) -> Message | None:
        return self._by_key.get(key)

    def find(self, filters: Filters) -> list[Message]:
        newest = itertools.takewhile(filters.reach, reversed(self._messages.values()))
        depth = SEARCH_DEPTH if filters.q else None
        return list(itertools.islice(filter(filters.accept, itertools.islice(newest, depth)), filters.limit))

    def latest(self) -> int | None:
        return next(reversed(self._messages), None)

    def clear(self) -> None:
        self._messages.clear()
        self._by_key.clear()
        self._bytes = 0
        self.changed()

    def changed(self) -> None:
        """Wakes the pages that are looking. Call it after changing a message's `state`."""
        for watcher in self._watchers:
            watcher.set()

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something changed; the watcher clears it."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _forget_oldest(self) -> None:
        while len(self._messages) > self._capacity or (
            self._bytes > self._max_bytes and len(self._messages) > 1
        ):
            _, oldest = self._messages.popitem(last=False)
            self._bytes -= oldest.size
            if oldest.key is not None:
                self._by_key.pop(oldest.key, None)
