"""What goes to a socket, in order: straight to the wire, by a writer of its own, or not at all."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from notifications.realtime import direct
from notifications.realtime.frames import wire
from notifications.realtime.outbox import OUTBOX_FRAMES, Outbox
from notifications.tests.web import DEADLINE, wait_until

SIZES = (0, 125, 126, 65_535, 65_536, 200_000)


class Peer:
    """A server's side of a socket: what was sent by ASGI, what went past it, and how much may go past."""

    def __init__(self, straight: int = 0) -> None:
        self.straight = straight
        self.sent: list[str] = []
        self.past: list[bytes] = []
        self.overflown = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self.outbox = Outbox(self.send, self.overflow, self.write)

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.sent.append(text)

    def write(self, frames: bytes) -> bool:
        if taken := len(self.past) < self.straight:
            self.past.append(frames)
        return taken

    def overflow(self) -> None:
        self.overflown += 1

    def offer(self, *frames: bytes) -> None:
        self.outbox.offer(frames, wire(frames))

    async def until(self, sent: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.sent) < sent:
                await asyncio.sleep(0)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def numbered(n: int) -> list[bytes]:
    return [b"%d" % number for number in range(n)]


def test_it_works() -> None:
    async def scenario() -> None:
        peer = Peer(straight=3)
        peer.outbox.open(b"hello")
        peer.offer(b"one", b"two")
        await peer.outbox.put([b"three"])
        assert peer.past == [wire([b"hello"]), wire([b"one", b"two"]), wire([b"three"])]
        assert peer.sent == []

    run(scenario())


def test_nothing_goes_before_the_greeting() -> None:
    async def scenario() -> None:
        peer = Peer(straight=9)
        peer.offer(b"early")
        assert not peer.outbox.is_open
        assert peer.past == []
        peer.outbox.open(b"hello")
        peer.offer(b"late")
        assert b"".join(peer.past) == wire([b"hello", b"early", b"late"])

    run(scenario())


def test_it_keeps_the_order_behind_what_a_slow_reader_left() -> None:
    async def scenario() -> None:
        peer = Peer(straight=1)
        peer.reads.clear()
        peer.outbox.open(b"hello")
        peer.offer(*numbered(2))
        peer.straight = 9  # room again, but what waits goes first
        peer.offer(b"2")
        answer = asyncio.create_task(peer.outbox.put([b"3"]))
        await asyncio.sleep(0)
        assert not answer.done()
        peer.reads.set()
        await answer
        assert (peer.sent, peer.past[1:]) == (["0", "1", "2"], [wire([b"3"])])

    run(scenario())


def test_it_works_where_nothing_goes_past_the_server() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.outbox.open(b"hello")
        for frame in numbered(300):
            await peer.outbox.put([frame])
        await peer.until(sent=301)
        assert peer.sent == ["hello", *map(str, range(300))]

    run(scenario())


def test_it_lets_go_of_who_leaves_too_much() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.reads.clear()
        peer.outbox.open(b"hello")
        peer.offer(*numbered(OUTBOX_FRAMES - 1))
        assert peer.overflown == 0
        peer.offer(b"one too many")
        peer.offer(b"another")
        peer.reads.set()
        await peer.outbox.put([b"an answer"])
        assert (peer.overflown, peer.sent) == (1, [])

    run(scenario())


def test_it_is_quiet_when_the_reader_has_left() -> None:
    async def gone(text: str) -> None:
        raise ConnectionResetError

    async def scenario() -> None:
        outbox = Outbox(gone, pytest.fail)
        outbox.open(b"hello")
        await outbox.put([b"anybody there?"])
        outbox.offer([b"no"], wire([b"no"]))

    run(scenario())


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """Sends what goes past ASGI, and says by ASGI what came of it: then, and after the close."""
    await receive()
    await send({"type": "websocket.accept"})
    write = direct.writer(send)
    done = write(wire([b"x" * size for size in SIZES]))
    await send({"type": "websocket.send", "text": str(done)})
    await send({"type": "websocket.close", "code": 4000 + write(wire([b"still open"]))})
    assert not write(wire([b"too late"]))


@pytest.fixture(params=[True, False], ids=["compressing", "plain"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(greet, log_config=None, ws_per_message_deflate=request.param, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started, "the server listens")
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def test_a_client_reads_what_went_past_asgi(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
        came: Sequence[Any] = [client.recv(timeout=DEADLINE) for _ in (*SIZES, "done", "still open")]
        assert [len(frame) for frame in came[: len(SIZES)]] == list(SIZES)
        assert came[len(SIZES) :] == ["True", "still open"]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=DEADLINE)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4001
