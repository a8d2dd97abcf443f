"""Where messages end: just enough of a vendor to take them at once and to note who got one, and when.

`python -m bench.sinks CHANNEL`, a process of its own. Times are `time.monotonic()`, which all processes of a
machine share.

The Twilio answer: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import defaultdict
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar, cast
from urllib.parse import unquote_plus

import orjson
import redis.asyncio as redis
import uvloop
from django.conf import settings

from bench.children import obey_on_loop
from notifications.realtime.frames import unpack
from notifications.realtime.push import CHANNEL

Arrivals = list[tuple[float, str]]

_MESSAGE: dict[str, Any] = {
    "account_sid": "AC" + 32 * "0",
    "api_version": "2010-04-01",
    "body": None,
    "date_created": None,
    "date_sent": None,
    "date_updated": None,
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": None,
    "messaging_service_sid": None,
    "num_media": "0",
    "num_segments": "1",
    "price": None,
    "price_unit": "USD",
    "sid": "SM%032x",
    "status": "queued",
    "subresource_uris": {},
    "to": None,
    "uri": None,
}
_BODY = orjson.dumps(_MESSAGE)
_CREATED = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY % 0)
    + _BODY
)
_sids = count(1)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb"(?:^|&)To=([^&]*)")
_RECIPIENT = re.compile(rb"RCPT TO:<([^>]*)>", re.IGNORECASE)


class Sink(asyncio.Protocol):
    """A connection. Subclasses read `buffer` and note arrivals."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is none by class

    def arrived(self, address: str) -> None:
        self.arrivals.append((time.monotonic(), address))


class TwilioSink(Sink):
    """`POST …/Messages.json` is answered 201 with a new sid; no other request is expected."""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.buffer, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < end:
                return
            if to := _TO.search(bytes(self.buffer[head + 4 : end])):
                self.arrived(unquote_plus(to[1].decode()))
            del self.buffer[:end]
            self.transport.write(_CREATED % next(_sids))


class SmtpSink(Sink):
    """RFC 5321 without a thought: everything is fine, and a mail has arrived when its last line has."""

    _REPLIES: ClassVar = {
        b"EHLO": b"250-sink\r\n250 8BITMIME\r\n",
        b"DATA": b"354 go on\r\n",
        b"QUIT": b"221 bye\r\n",
    }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.recipient = ""
        self.reads_mail = False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n.\r\n" if self.reads_mail else b"\r\n")) >= 0:
            if self.reads_mail:
                self._take_mail(end)
            else:
                self._take_command(end)

    def _take_mail(self, end: int) -> None:
        del self.buffer[: end + 5]
        self.reads_mail = False
        self.arrived(self.recipient)
        self.transport.write(b"250 taken\r\n")

    def _take_command(self, end: int) -> None:
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        if recipient := _RECIPIENT.match(line):
            self.recipient = recipient[1].decode()
        verb = line[:4].upper()
        self.reads_mail = verb == b"DATA"
        self.transport.write(self._REPLIES.get(verb, b"250 fine\r\n"))


async def subscribe(arrivals: Arrivals) -> None:
    """Note who is pushed a new notification by the live feed."""
    async with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            if message["type"] == "message":
                now = time.monotonic()
                for key, frames in unpack(message["data"]):
                    _tenant, _type, external_id = orjson.loads(key)
                    arrivals += [(now, external_id)] * len(frames)


async def listen(channel: str, arrivals: Arrivals) -> int:
    """Take what comes by `channel`; the port where."""
    protocol = {"sms": TwilioSink, "email": SmtpSink}[channel]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(arrivals), "127.0.0.1", 0, backlog=1024)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def main(channel: str) -> None:
    arrivals: Arrivals = []
    pushed = asyncio.create_task(subscribe(arrivals)) if channel == "in_app" else None
    port = 0 if pushed else await listen(channel, arrivals)

    def take() -> dict[str, list[float]]:
        """The times by address, and forget them."""
        times: dict[str, list[float]] = defaultdict(list)
        for moment, address in arrivals:
            times[address].append(moment)
        arrivals.clear()
        return times

    commands: dict[str, Any] = {"port": lambda: port, "count": lambda: len(arrivals), "take": take}
    await obey_on_loop(commands)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1]))
