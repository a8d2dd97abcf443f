"""An SMSC: binds, messages taken, receipts and replies delivered until they are acknowledged.

SMPP 3.4: https://smpp.org/SMPP_v3_4_Issue1_2.pdf. The PDUs that carry messages are `smpp34`'s. It has a
server too, which takes any password and does not leave receipts to be tried again.
"""

import asyncio
import itertools
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from smpp34 import DeliverSm, SmppError, SubmitSm, decode

HEADER = struct.Struct(">IIII")
LARGEST = 70_000
ANSWER = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, SUBMIT_SM, DELIVER_SM, UNBIND, BIND_TRANSCEIVER = 1, 2, 4, 5, 6, 9
ENQUIRE_LINK = 0x15
BINDS = {BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER}

OK, INVALID_LENGTH, INVALID_COMMAND, WRONG_STATE, ALREADY_BOUND = 0, 0x01, 0x03, 0x04, 0x05
SYSTEM_ERROR, TRY_AGAIN = 0x08, 0x64

WINDOW = 100
"""Messages delivered on a connection that wait for their answers."""
TRY_AGAIN_AFTER_S = 0.25
SYSTEM_ID = b"sandbox\0"


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to a submit_sm: an id, or the status of a refusal."""

    message_id: str = ""
    status: int = OK


class Office(Protocol):
    """Who decides behind the counter."""

    def authenticate(self, system_id: str, password: str) -> int:
        """The status that a bind is answered with."""

    async def submit(self, system_id: str, message: SubmitSm) -> Taken | None:
        """What becomes of a message; None to leave it without an answer."""


@dataclass(eq=False)
class Subscriber:
    """What waits for one system_id, and where it is bound."""

    waiting: deque[bytes] = field(default_factory=deque)
    receivers: list["Connection"] = field(default_factory=list)

    def pump(self) -> None:
        while self.waiting and (receiver := self._free()) is not None:
            receiver.deliver(self.waiting.popleft())

    def again(self, body: bytes) -> None:
        self.waiting.append(body)
        self.pump()

    def _free(self) -> "Connection | None":
        return min(
            (receiver for receiver in self.receivers if receiver.has_room),
            key=lambda receiver: len(receiver.delivered),
            default=None,
        )


class Smsc:
    """`office` answers; whoever wants something delivered calls `deliver`, bound or not."""

    def __init__(self, office: Office, *, enquire_link_s: float = 30.0) -> None:
        self.office, self.enquire_link_s = office, enquire_link_s
        self.connections: set[Connection] = set()
        self._subscribers: dict[str, Subscriber] = {}

    def subscriber(self, system_id: str) -> Subscriber:
        return self._subscribers.setdefault(system_id, Subscriber())

    def deliver(self, system_id: str, message: DeliverSm) -> None:
        """Tried until it is acknowledged, by whichever connection is bound to receive."""
        self.subscriber(system_id).again(message.encode()[HEADER.size :])

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, ssl=tls)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.gather(*(connection.closed for connection in self.connections))
        await self._server.wait_closed()


class Connection(asyncio.Protocol):
    """One ESME's."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._received = bytearray()
        self._sequence = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriber: Subscriber | None = None
        self._bound_by = 0
        self._was_silent = False
        self.closed = asyncio.get_running_loop().create_future()
        self.system_id = ""
        self.enquiries = 0
        self.delivered: dict[int, bytes] = {}

    @property
    def has_room(self) -> bool:
        return len(self.delivered) < WINDOW

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, and does not inherit
        self._smsc.connections.add(self)
        self._watch = self._later(self._enquire)

    def connection_lost(self, exc: Exception | None) -> None:
        self._smsc.connections.discard(self)
        self._watch.cancel()
        for task in self._tasks:
            task.cancel()
        self._leave()
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._was_silent = False
        self._received += data
        while len(self._received) >= HEADER.size:
            length = HEADER.unpack_from(self._received)[0]
            if not HEADER.size <= length <= LARGEST:
                self.transport.abort()
                return
            if len(self._received) < length:
                return
            pdu = bytes(self._received[:length])
            del self._received[:length]
            self._take(pdu)

    def deliver(self, body: bytes) -> None:
        sequence = next(self._sequence)
        self.delivered[sequence] = body
        self._write(DELIVER_SM, OK, sequence, body)

    def _take(self, pdu: bytes) -> None:
        _, command, status, sequence = HEADER.unpack_from(pdu)
        if command & ANSWER:
            self._acknowledged(sequence, status)
        elif command in BINDS:
            self._bind(command, sequence, pdu[HEADER.size :])
        elif command == SUBMIT_SM:
            self._submit(sequence, pdu)
        elif command in (ENQUIRE_LINK, UNBIND):
            self._write(command | ANSWER, OK, sequence)
            if command == UNBIND:
                self._leave()
                self.transport.close()
        else:
            self._write(ANSWER, INVALID_COMMAND, sequence)

    def _bind(self, command: int, sequence: int, body: bytes) -> None:
        system_id, password = (part.decode("latin-1") for part in (*body.split(b"\0"), b"", b"")[:2])
        status = ALREADY_BOUND if self._bound_by else self._smsc.office.authenticate(system_id, password)
        self._write(command | ANSWER, status, sequence, b"" if status else SYSTEM_ID)
        if status == OK:
            self.system_id, self._bound_by = system_id, command
        if status == OK and command != BIND_TRANSMITTER:
            self._subscriber = self._smsc.subscriber(system_id)
            self._subscriber.receivers.append(self)
            self._subscriber.pump()

    def _submit(self, sequence: int, pdu: bytes) -> None:
        try:
            message = decode(pdu)
        except SmppError:
            message = None
        if self._bound_by not in (BIND_TRANSMITTER, BIND_TRANSCEIVER):
            self._write(SUBMIT_SM | ANSWER, WRONG_STATE, sequence)
        elif not isinstance(message, SubmitSm):
            self._write(SUBMIT_SM | ANSWER, INVALID_LENGTH, sequence)
        else:
            task = asyncio.create_task(self._answer(sequence, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, sequence: int, message: SubmitSm) -> None:
        taken = await self._smsc.office.submit(self.system_id, message)
        if taken is not None:
            body = b"" if taken.status else taken.message_id.encode() + b"\0"
            self._write(SUBMIT_SM | ANSWER, taken.status, sequence, body)

    def _acknowledged(self, sequence: int, status: int) -> None:
        body = self.delivered.pop(sequence, None)
        if body is None or self._subscriber is None:
            return
        if status == TRY_AGAIN:
            asyncio.get_running_loop().call_later(TRY_AGAIN_AFTER_S, self._subscriber.again, body)
        self._subscriber.pump()

    def _enquire(self) -> None:
        """Closes the line when the last enquire_link has brought nothing."""
        if self._was_silent:
            self.transport.abort()
            return
        self._was_silent = True
        self.enquiries += 1
        self._write(ENQUIRE_LINK, OK, next(self._sequence))
        self._watch = self._later(self._enquire)

    def _later(self, call: Callable[[], Any]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._smsc.enquire_link_s, call)

    def _leave(self) -> None:
        """What was not acknowledged goes to another connection, or waits for one."""
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            subscriber.receivers.remove(self)
            subscriber.waiting.extendleft(reversed(self.delivered.values()))
            self.delivered.clear()
            subscriber.pump()

    def _write(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        if not self.transport.is_closing():
            self.transport.write(HEADER.pack(HEADER.size + len(body), command, status, sequence) + body)
