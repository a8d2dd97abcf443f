"""The result, for people and for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import orjson
from rich.console import Console
from rich.table import Table

from bench.meter import STACK
from bench.result import WRONGS, Result

TIMES_BASELINE, SHARE_OF_LIMIT, URGENT_P95_MS, IDLE_MB = 6.0, 0.6, 250.0, 600.0
"""What Carillon promises itself."""

Line = tuple[str, str, str, bool | None]
"""What, how much, what was wanted, and whether it was reached."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def print_json(result: Result) -> None:
    sys.stdout.write(orjson.dumps(result.document(), option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(result: Result) -> None:
    console = Console()
    console.print(_figures(result), _processes(result), _where(result), sep="\n")


def _figures(result: Result) -> Table:
    table = Table(title=f"{result.options.n} notifications by {result.options.channel}")
    for name, justify in (("", "left"), ("measured", "right"), ("wanted", "right"), ("", "center")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for what, measured, wanted, reached in _lines(result):
        sign = "" if reached is None else "[green]yes[/]" if reached else "[red]no[/]"
        table.add_row(what, measured, wanted, sign)
    return table


def _lines(result: Result) -> Iterator[Line]:
    yield "end to end", _per_s(result.end_to_end_per_s), "", None
    yield "accepted", _per_s(result.accept_per_s), "", None
    if (times := result.times_baseline) is not None:
        yield "one task a message", _per_s(result.baseline_per_s), "", None
        yield "  end to end is", f"{times:.1f} times that", f"≥ {TIMES_BASELINE:.0f}", times >= TIMES_BASELINE
    if (share := result.share_of_limit) is not None:
        yield "bare limit", _per_s(result.limit_per_s), "", None
        yield "  end to end is", f"{share:.0%} of it", f"≥ {SHARE_OF_LIMIT:.0%}", share >= SHARE_OF_LIMIT
    for phase, ms in result.cpu_ms_each.items():
        busy = f"others took {result.strangers[phase]:.0%}"
        yield f"CPU each, {phase}", f"{ms:.2f} ms", busy, None
    for name, ms in result.urgent_ms.items():
        wanted = f"≤ {URGENT_P95_MS:.0f} ms" if name == "p95" else ""
        yield f"urgent, {name}", f"{ms:.0f} ms", wanted, ms <= URGENT_P95_MS if wanted else None
    idle = result.idle_rss_mb
    yield "web, worker, beat: idle", f"{idle:.0f} MB", f"< {IDLE_MB:.0f} MB", idle < IDLE_MB
    yield "  shared pages counted once", f"{result.idle_pss_mb:.0f} MB", "", None
    yield "  at their peak", f"{result.peak_rss_mb:.0f} MB", "", None
    yield "  workers grew", f"{result.worker_growth_mb:+.0f} MB", "", None
    for phase, ledger in result.ledgers.items():
        wrongs = [ledger[name] for name in WRONGS]
        told = "{} missing, {} twice, {} open".format(*wrongs)
        yield f"ledger of {phase}: {ledger['expected']}", told, "none", not any(wrongs)


def _per_s(rate: float | None) -> str:
    return f"{rate:,.0f} /s"


def _processes(result: Result) -> Table:
    table = Table(title="The last round's pipeline, by process")
    for name in ("process", "CPU, s", "idle, MB", "peak, MB"):
        table.add_column(name, justify="left" if name == "process" else "right")
    rank = {name: place for place, name in enumerate((*STACK, "postgres", "valkey"))}
    cpu = result.rounds[-1].run.cpu
    for name in sorted(cpu, key=lambda name: rank.get(name, 99)):
        memory = (result.idle_mb.get(name, 0.0), result.peak_mb.get(name, 0.0))
        table.add_row(name, f"{cpu[name]:.2f}", *(f"{mb:.0f}" for mb in memory))
    return table


def _where(result: Result) -> str:
    m, own = result.machine, result.options
    engines = f"Python {m['python']}, PostgreSQL {m['postgresql']}, Valkey {m['valkey']}"
    place = f"{m['cpu']}, {m['cores']} cores, fsync {m['fsync_ms']} ms"
    how = f"{own.workers} workers, {own.rounds} rounds, load before {result.load:.2f}"
    return f"{place}; {engines}; {how}; {m['date']}"
