"""A client of server-sent events that follows the standard's parsing, and waits no longer than it must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import orjson

PATH = "/api/v1/users/me/stream"


@dataclass(frozen=True)
class Event:
    type: str
    data: Any
    id: str


class EventSource:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation"""

    def __init__(self, answer: HTTPResponse) -> None:
        self.answer = answer
        self.last_event_id = ""
        self.retry = 0
        self.comments = 0

    def next(self) -> Event:
        """Raises EOFError when the stream has ended."""
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline()
            if not line:
                raise EOFError
            text = line.decode().rstrip("\n")
            if not text and "data" in fields:
                return Event(fields.get("event", "message"), orjson.loads(fields["data"]), self.last_event_id)
            self._take(text, fields)

    def _take(self, line: str, fields: dict[str, str]) -> None:
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
        if name == "id":
            self.last_event_id = fields["id"]
        elif name == "retry":
            self.retry = int(fields["retry"])
        elif line and not name:
            self.comments += 1

    def hear(self, event_type: str) -> Event:
        """The next of that type; those before it are passed over."""
        while (event := self.next()).type != event_type:
            pass
        return event

    def seqs(self, count: int) -> list[int]:
        """The numbers of the next so many items."""
        return [self.hear("notification:new").data["seq"] for _ in range(count)]


@contextmanager
def ask(
    address: str, token: str, *, query: str = "", method: str = "GET", **headers: str
) -> Iterator[HTTPResponse]:
    """The answer, whatever it is."""
    connection = HTTPConnection(address, timeout=30)
    given = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, PATH + query, headers={**given, **headers})
        yield connection.getresponse()
    finally:
        connection.close()


@contextmanager
def open_stream(address: str, token: str, last_event_id: str = "", query: str = "") -> Iterator[EventSource]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with ask(address, token, query=query, **headers) as answer:
        assert answer.status == 200, answer.read()
        yield EventSource(answer)
