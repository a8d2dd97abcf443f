"""One server put to the test: sockets opened, as much pushed as it takes, then half of that."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from bench.children import Child
from bench.meter import Meter, Usage, Watch
from bench.options import RealtimeOptions
from bench.realtime import chunks

_WINDOW = 20
"""Chunks under way at most: as fast as may be, and no backlog that Valkey would cut off."""
_AT_ONCE = 5
_POLL = 0.004
_STALLED = 20.0
_WARM_UP = 10
_LATENCY_SECONDS = 4

Moments = dict[str, float]
"""When chunks were committed, by name."""
Door = tuple[str, str]
"""The path of a socket, and the subprotocols that it offers."""


@dataclass(frozen=True, slots=True)
class Server:
    """`pid` is the root of its processes; `way` is how the pusher reaches its sockets."""

    name: str
    way: str
    port: int
    pid: int
    doors: Sequence[Door]


@dataclass(frozen=True, slots=True)
class Opened:
    """Sockets opened in `seconds`, each to its greeting; `kb` of the server's memory for each."""

    sockets: int
    seconds: float
    kb: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Pushed:
    """`latencies` in ms from commit to frame, in order of size. `cpu` in seconds by process.

    `strangers` is the share of all cores, 0 to 1, that processes of others kept busy meanwhile.
    """

    n: int
    seconds: float
    missing: int
    latencies: list[float]
    cpu: Usage
    strangers: float

    @property
    def per_s(self) -> float:
        return self.n / self.seconds

    def cpu_us(self, name: str) -> float:
        return 1e6 * self.cpu.get(name, 0.0) / max(1, self.n)


@dataclass(slots=True)
class Trial:
    server: Server
    opened: Opened
    warm: Pushed
    full: list[Pushed] = field(default_factory=list)
    half: list[Pushed] = field(default_factory=list)


@dataclass(slots=True)
class Ground:
    """Who takes part in every trial. Chunks are numbered from one, and no number is used twice."""

    options: RealtimeOptions
    sockets: Child
    pusher: Child
    engines: dict[str, psutil.Process]
    chunks_told: int = 1

    def open(self, server: Server) -> Opened:
        """Some sockets come and go before it counts: threads, connections and code are there then."""
        warm = [server.doors[number % len(server.doors)] for number in range(_WARM_UP * 10)]
        self.sockets.ask("connect", server=server.name, port=server.port, doors=warm)
        self.sockets.ask("leave", server=server.name)
        time.sleep(0.5)
        before, meter = _resident(server.pid), self._meter(server)
        used = meter.cpu()["server"]
        seconds = self.sockets.ask("connect", server=server.name, port=server.port, doors=server.doors)
        n = len(server.doors)
        spent = meter.cpu()["server"] - used
        return Opened(n, seconds, (_resident(server.pid) - before) / n / 1000, 1000 * spent / n)

    def flood(self, server: Server, messages: int) -> Pushed:
        """As fast as the server takes it: the pusher waits for the sockets."""
        fan = self._fan(server)
        wanted = max(_AT_ONCE, messages // fan // chunks.CHUNK)
        first, committed = self._number(wanted), Moments()
        with self._meter(server).watch() as watch:
            for place in range(0, wanted, _AT_ONCE):
                self._await(fan * chunks.CHUNK * max(0, place + _AT_ONCE - _WINDOW))
                n = min(_AT_ONCE, wanted - place)
                committed |= self.pusher.ask("push", way=server.way, first=first + place, n=n)
            self._await(fan * chunks.CHUNK * wanted)
        return self._pushed(watch, committed, fan)

    def pace(self, server: Server, rate: float) -> Pushed:
        """At `rate` frames a second, however long it takes the server."""
        fan = self._fan(server)
        wanted = max(_AT_ONCE, int(_LATENCY_SECONDS * rate / fan / chunks.CHUNK))
        first = self._number(wanted)
        with self._meter(server).watch() as watch:
            committed: Moments = self.pusher.ask(
                "push", way=server.way, first=first, n=wanted, rate=rate / fan
            )
            self._await(fan * chunks.CHUNK * wanted)
        return self._pushed(watch, committed, fan)

    def _pushed(self, watch: Watch, committed: Moments, fan: int) -> Pushed:
        arrivals: dict[str, list[float]] = self.sockets.ask("take")
        came = [(at, committed[name]) for name, times in arrivals.items() for at in times]
        latencies = sorted(1000 * (at - then) for at, then in came)
        seconds = max((at for at, _ in came), default=time.monotonic()) - min(committed.values())
        missing = fan * chunks.CHUNK * len(committed) - len(came)
        return Pushed(len(came), seconds, missing, latencies, watch.cpu, watch.strangers)

    def _number(self, n: int) -> int:
        first = self.chunks_told
        self.chunks_told += n
        return first

    def _fan(self, server: Server) -> int:
        """Frames that a message makes: as many as its user has sockets."""
        return max(1, len(server.doors) // self.options.users)

    def _await(self, frames: int) -> None:
        """Until so many have come, or nothing comes any more."""
        seen, changed_at = int(self.sockets.ask("count")), time.monotonic()
        while seen < frames and time.monotonic() < changed_at + _STALLED:
            time.sleep(_POLL)
            if (now_seen := int(self.sockets.ask("count"))) != seen:
                seen, changed_at = now_seen, time.monotonic()

    def _meter(self, server: Server) -> Meter:
        own = {"sockets": self.sockets.pid, "pusher": self.pusher.pid, "bench": os.getpid()}
        single = {name: psutil.Process(pid) for name, pid in own.items()}
        return Meter({"server": psutil.Process(server.pid), **self.engines}, single)


def _resident(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)
