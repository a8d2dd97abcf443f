"""`python -m bench realtime`: how many messages a web process pushes to its sockets, and how soon.

The measuring process; `python -m bench` starts it beside a real stack, whose web process is measured, and
whose worker and beat sleep meanwhile. In the same run, on the same engines, with the same reader and the same
flags of the same server: a bare hub and Channels' groups (`bench.realtime.bare`).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from types import FrameType
from urllib.parse import urlsplit

import django

django.setup(set_prefix=False)  # first: what follows imports models


from bench import machine, processes, scene  # noqa: E402
from bench.children import Child, ChildEndedError  # noqa: E402
from bench.options import RealtimeOptions, parse  # noqa: E402
from bench.realtime import bare  # noqa: E402
from bench.realtime.result import Result, print_result  # noqa: E402
from bench.realtime.trial import Door, Ground, Server, Trial  # noqa: E402
from bench.report import say  # noqa: E402
from config.embedded.valkey import free_port  # noqa: E402
from config.processes import end, spawn  # noqa: E402
from config.stack import WEB_OPTIONS  # noqa: E402
from tenants.authentication import mint_recipient_token  # noqa: E402
from tenants.models import Tenant  # noqa: E402

_WARM_UP = 2_000
_LONGEST_ROUND = 5.0
"""Seconds: a server that is slow is given less."""
_MISSED = 500
_RESUMES = 5
_PATIENCE = 20
_ENGINES = ("valkey", "postgres")


def main(options: RealtimeOptions) -> int:
    where, load, trees = machine.describe(), os.getloadavg()[0], processes.of_stack()
    crowd = scene.build("in_app", 0, options.users)
    tenant = Tenant.objects.get(pk=crowd.batch.tenant_id)
    port = urlsplit(os.environ["BENCH_URL"]).port
    assert port is not None
    with (
        processes.asleep(trees, ("beat", "worker")),
        Child("bench.realtime.sockets") as sockets,
        Child("bench.realtime.pusher") as pusher,
        yardsticks(options) as others,
    ):
        pusher.ask("know", tenant_id=str(tenant.pk), users=options.users)
        engines = {name: tree for name, tree in trees.items() if name in _ENGINES}
        ground = Ground(options, sockets, pusher, engines)
        web = Server("carillon", "carillon", port, trees["web"].pid, doors(tenant, options))
        trials = [_opened(ground, server) for server in (web, *others)]
        for number in range(1, options.rounds + 1):
            for trial in trials:
                say(f"round {number} of {options.rounds}: {trial.server.name}")
                _measure(ground, trial)
        say("stored in PostgreSQL, pushed on commit")
        stored = ground.flood(_stored(web), options.stored)
        result = Result(options, where, load, trials, stored, _resume(ground, web))
    print_result(result)
    return 0 if result.complete else 1


def doors(tenant: Tenant, options: RealtimeOptions) -> list[Door]:
    tokens = [mint_recipient_token(tenant, f"crowd-{user}", "user")[0] for user in range(options.users)]
    return [
        ("/ws/notifications/", f"carillon.v1, bearer.{tokens[number % options.users]}")
        for number in range(options.sockets)
    ]


@contextmanager
def yardsticks(options: RealtimeOptions) -> Iterator[list[Server]]:
    """The bare servers, started; none when none is asked for."""
    paths = [(f"/?crowd-{number % options.users}", "") for number in range(options.sockets)]
    apps = {"hub": ["bench.realtime.bare:hub"]}
    if bare.has_channel_layer():
        apps["channels"] = ["bench.realtime.bare:groups", "--factory"]
    started = []
    try:
        for name, app in apps.items() if options.yardsticks else ():
            port = free_port()
            command = [sys.executable, "-m", "uvicorn", *app, "--port", str(port), *WEB_OPTIONS]
            process = spawn(command, on_owner_death=signal.SIGKILL, stdout=subprocess.DEVNULL)
            started.append((process, Server(f"bare {name}", name, port, process.pid, paths)))
        for _, server in started:
            _await_port(server.port)
        yield [server for _, server in started]
    finally:
        for process, _ in started:
            end(process, signal.SIGTERM, _PATIENCE)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _opened(ground: Ground, server: Server) -> Trial:
    say(f"{server.name}: {len(server.doors)} sockets")
    opened = ground.open(server)
    return Trial(server, opened, ground.flood(server, _WARM_UP))


def _measure(ground: Ground, trial: Trial) -> None:
    bearable = int(_LONGEST_ROUND * trial.warm.per_s)
    trial.full.append(ground.flood(trial.server, min(ground.options.messages, bearable)))
    rate = ground.options.rate or trial.full[-1].per_s / 2
    trial.half.append(ground.pace(trial.server, rate))


def _stored(web: Server) -> Server:
    return Server("stored", "stored", web.port, web.pid, web.doors)


def _resume(ground: Ground, web: Server) -> float:
    """Milliseconds that it takes a client to get what it missed."""
    ground.pusher.ask("fill", user=0, n=_MISSED)
    answers = [ground.sockets.ask("resume", server=web.name, after=0) for _ in range(_RESUMES)]
    assert {count for _, count in answers} == {_MISSED}, "the catch-up is not whole"
    ground.sockets.ask("take")
    return 1000 * float(median(seconds for seconds, _ in answers))


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    try:
        asked = parse(sys.argv[1:])
        assert isinstance(asked, RealtimeOptions)
        sys.exit(main(asked))
    except ChildEndedError as error:
        sys.exit(f"error: {error} ended before it answered: see its lines above")
