"""`python -m bench providers`: what a message costs by each provider, against the sandbox.

The sandbox is another process, so what is counted is this one's CPU: the provider, its library, the sockets.
"Bare" is the same call without any of ours, aiohttp posting as many bytes to the same sandbox in the same
run; what a provider takes above it is called ours, library included. All messages say the same, so a mail
service that takes many in one call gets them in one. SMPP is measured with its receipts (`correlation`).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any
from uuid import uuid4

import django

django.setup(set_prefix=False)  # first: what follows reads settings

import orjson  # noqa: E402
from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bench import correlation  # noqa: E402
from bench.cost import Cost  # noqa: E402
from bench.options import ProviderOptions, parse  # noqa: E402
from bench.report import say  # noqa: E402
from config import sandboxed  # noqa: E402
from config.processes import end, spawn  # noqa: E402
from delivery import loop  # noqa: E402
from delivery.providers.base import Content, Message, Provider, Sent  # noqa: E402
from delivery.providers.http import session  # noqa: E402
from delivery.registry import providers  # noqa: E402

CHUNK = 200
ROUNDS = 5
HTTP, SMTP, SMPP = 1_500, 1_000, 2_000
"""Messages a second and core that are wanted, by protocol."""

_WORDS = Content(
    subject="Your order A-17 is on its way",
    title="Your order A-17 is on its way",
    body="It left us today with DHL and should be with you the day after tomorrow. Thank you for your order!",
    html="<h1>On its way</h1><p>Your order <b>A-17</b> left us today with DHL.</p>",
)
_TOMORROW = timezone.now() + dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    channel: str
    provider: str
    cost: Cost
    wanted: int
    ours: float | None
    """The share of the CPU above the bare call's; None where there is no bare call to compare with."""

    def document(self) -> dict[str, Any]:
        return {
            "channel": self.channel,
            "provider": self.provider,
            "per_core": round(self.cost.per_core),
            "per_s": round(self.cost.per_s),
            "cpu_us": round(self.cost.cpu_us),
            "ours": None if self.ours is None else round(self.ours, 2),
            "wanted": self.wanted,
        }


def main(options: ProviderOptions) -> int:
    bare = measure(options.n, post)
    rows = []
    for channel, name in chosen(options.names):
        say(f"{channel} by {name}, {options.n}")
        cost = cost_of(channel, name, options.n)
        rows.append(Row(channel, name, cost, wanted(name), share(name, cost, bare)))
    if options.json:
        document = {"bare_per_core": round(bare.per_core), "providers": [row.document() for row in rows]}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(table(rows, bare))
    return 0 if all(row.cost.per_core >= row.wanted for row in rows) else 1


def chosen(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those that the sandbox stands in for, or those of them that are named."""
    for channel, name in sorted(providers()):
        if (channel, name) in sandboxed.SETTINGS and (not names or name in names):
            yield channel, name


def cost_of(channel: str, name: str, n: int) -> Cost:
    """SMPP's receipts come by its own bind: they are part of it, up to the delivery that they settle."""
    if name == "smpp":
        return correlation.measure(n, _WORDS)
    provider = made(channel, name)
    to = [sandboxed.address(channel, name, number) for number in range(CHUNK)]
    return measure(n, partial(send, provider, to))


def made(channel: str, name: str) -> Provider:
    cls = providers()[channel, name]
    given = sandboxed.settings_of(channel, name, f"bench-{name}")
    return cls(cls.Settings(**given), account=name, report=lambda heard: None, concurrency=100)


def wanted(name: str) -> int:
    return {"smtp": SMTP, "smpp": SMPP}.get(name, HTTP)


def share(name: str, cost: Cost, bare: Cost) -> float | None:
    return None if name in {"smtp", "smpp"} else max(0.0, 1 - bare.cpu_us / cost.cpu_us)


def measure(n: int, do: Callable[[int], None]) -> Cost:
    """The median of a few rounds, after one that does not count: connections and code are there then."""
    chunks = max(1, n // CHUNK // ROUNDS)
    do(CHUNK)
    cpu, clock = [], []
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(chunks):
            do(CHUNK)
        cpu.append((time.process_time() - used) / chunks / CHUNK)
        clock.append((time.perf_counter() - began) / chunks / CHUNK)
    return Cost(median(cpu) * 1e6, 1 / median(clock))


def send(provider: Provider, to: Sequence[str], chunk: int) -> None:
    """Raises when any message was not taken: what fails at once is cheap."""
    messages = [_message(address) for address in to[:chunk]]
    for outcome in loop.run(provider.send(messages)):
        if not isinstance(outcome, Sent):
            raise outcome


def _message(to: str) -> Message:
    id = uuid4()
    return Message(id, f"{id}.1", to, _WORDS, window_until=_TOMORROW)


def post(chunk: int) -> None:
    """The bare call: Slack's webhook, for its sandbox does as little as any."""
    url = f"{settings.SANDBOX_URL}/slack/services/T0/B0/bare"
    body = orjson.dumps({"text": _WORDS.body})
    turns = iter(range(chunk))

    async def call() -> None:
        for _ in turns:
            async with session().post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()

    async def all_of_them() -> None:
        await asyncio.gather(*(call() for _ in range(100)))

    loop.run(all_of_them())


def table(rows: Sequence[Row], bare: Cost) -> Table:
    table = Table(
        title=f"Providers against the sandbox; bare aiohttp: {bare.per_core:,.0f}/s a core", min_width=96
    )
    for name in ("channel", "provider", "CPU each", "a core", "wanted", "", "ours", "by the clock"):
        table.add_column(name, justify="left" if name in {"channel", "provider", ""} else "right")
    for row in rows:
        reached = row.cost.per_core >= row.wanted
        table.add_row(
            *(row.channel, row.provider, f"{row.cost.cpu_us:.0f} µs", f"{row.cost.per_core:,.0f}/s"),
            *(f"≥ {row.wanted:,}/s", "[green]yes[/]" if reached else "[red]no[/]"),
            *("" if row.ours is None else f"{row.ours:.0%}", f"{row.cost.per_s:,.0f}/s"),
        )
    return table


@contextmanager
def sandbox() -> Iterator[None]:
    """The sandbox of the settings, until the block ends."""
    ports = {"--port": settings.SANDBOX_URL.rpartition(":")[2]}
    ports |= {"--smtp-port": settings.SANDBOX_SMTP_PORT, "--smpp-port": settings.SANDBOX_SMPP_PORT}
    options = [str(word) for pair in ports.items() for word in pair]
    command = [sys.executable, "-m", "sandbox", *options]
    process = spawn(command, on_owner_death=signal.SIGKILL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith(b"sandbox ready"):
            raise SystemExit("error: the sandbox did not start")
        yield
    finally:
        end(process, signal.SIGTERM, 5)


if __name__ == "__main__":
    asked = parse(sys.argv[1:])
    assert isinstance(asked, ProviderOptions)
    with sandbox():
        try:
            code = main(asked)
        finally:
            loop.close()  # and the binds, before their SMSC goes
    sys.exit(code)
