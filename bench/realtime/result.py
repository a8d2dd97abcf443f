"""What came of it, for people and for machines: medians over the rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from bench.options import RealtimeOptions
from bench.realtime.trial import Pushed, Trial
from bench.result import percentile

PER_S, P99_MS, KB = 21_000.0, 50.0, 60.0
"""What a web process of Carillon promises: messages a second, ms at half of that, memory a socket."""

Told = dict[str, Any]
Line = tuple[str, Callable[[Told], str], str]
"""What, how it is read off a server's document, and what was wanted."""


@dataclass(frozen=True, slots=True)
class Result:
    """`load` is the machine's load average before it began; `resume_ms` for five hundred items."""

    options: RealtimeOptions
    machine: dict[str, Any]
    load: float
    trials: Sequence[Trial]
    stored: Pushed
    resume_ms: float

    @property
    def complete(self) -> bool:
        """Every frame that was pushed has come."""
        return not any(part.missing for part in (self.stored, *self._all()))

    def _all(self) -> Iterator[Pushed]:
        for trial in self.trials:
            yield from trial.full
            yield from trial.half

    def document(self) -> dict[str, Any]:
        return {
            "servers": [_document(trial) for trial in self.trials],
            "stored": {"per_s": round(self.stored.per_s), **_latency([self.stored])},
            "resume_500_ms": round(self.resume_ms, 1),
            "complete": self.complete,
            "options": asdict(self.options),
            "machine": self.machine,
            "load": round(self.load, 2),
        }


def print_result(result: Result) -> None:
    if result.options.json:
        sys.stdout.write(orjson.dumps(result.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console().print(_table(result), _notes(result), sep="\n")


def per_s(trial: Trial) -> float:
    return median(part.per_s for part in trial.full)


def cpu_us(trial: Trial, process: str) -> float:
    return median(part.cpu_us(process) for part in trial.full)


def _latency(parts: Sequence[Pushed]) -> dict[str, float]:
    taken = sorted(ms for part in parts for ms in part.latencies)
    return {f"p{percent}_ms": round(percentile(taken, percent), 1) for percent in (50, 99)} if taken else {}


def _document(trial: Trial) -> Told:
    return {
        "server": trial.server.name,
        "per_s": round(per_s(trial)),
        "cpu_us": {name: round(cpu_us(trial, name), 1) for name in trial.full[0].cpu},
        "strangers": round(median(part.strangers for part in (*trial.full, *trial.half)), 2),
        "half_load_per_s": round(median(part.per_s for part in trial.half)),
        **_latency(trial.half),
        "sockets": trial.opened.sockets,
        "kb_a_socket": round(trial.opened.kb, 1),
        "connects_per_s": round(trial.opened.sockets / trial.opened.seconds),
        "connect_cpu_ms": round(trial.opened.cpu_ms, 2),
        "missing": sum(part.missing for part in (*trial.full, *trial.half)),
    }


def _table(result: Result) -> Table:
    own = result.options
    table = Table(title=f"{own.sockets:,} sockets of {own.users:,} users, {own.messages:,} messages a round")
    table.add_column("")
    for trial in result.trials:
        table.add_column(trial.server.name, justify="right")
    table.add_column("wanted", justify="right")
    documents = [_document(trial) for trial in result.trials]
    for what, show, wanted in _lines():
        table.add_row(what, *map(show, documents), wanted)
    return table


def _lines() -> Iterator[Line]:
    yield "messages/s a process", lambda told: f"{told['per_s']:,}", f"≥ {PER_S:,.0f}"
    yield "  of a core", lambda told: f"{1e6 / told['cpu_us']['server']:,.0f}", ""
    yield "  its CPU each", partial(_cpu, "server"), ""
    yield "  the reader's", partial(_cpu, "sockets"), ""
    yield "  the pusher's", partial(_cpu, "pusher"), ""
    yield "  others took", lambda told: f"{told['strangers']:.0%}", ""
    yield "at half load, p50", lambda told: f"{told['p50_ms']:.1f} ms", ""
    yield "  p99", lambda told: f"{told['p99_ms']:.1f} ms", f"≤ {P99_MS:.0f} ms"
    yield "memory a socket", lambda told: f"{told['kb_a_socket']:.1f} kB", f"≤ {KB:.0f} kB"
    yield "sockets opened", lambda told: f"{told['connects_per_s']:,} /s", ""
    yield "  CPU each", lambda told: f"{told['connect_cpu_ms']:.2f} ms", ""
    yield "frames that never came", lambda told: f"{told['missing']}", "0"


def _cpu(name: str, told: Told) -> str:
    return f"{told['cpu_us'][name]:.1f} µs"


def _notes(result: Result) -> str:
    stored = _latency([result.stored])
    told = " ".join(f"{name.removesuffix('_ms')} {ms:.1f} ms" for name, ms in stored.items())
    m = result.machine
    return "\n".join(
        (
            f"Stored in PostgreSQL by one writer: {result.stored.per_s:,.0f}/s, commit to frame {told}",
            f"Resume of 500 missed items: {result.resume_ms:.0f} ms",
            f"{m['cpu']}, {m['cores']} cores; load before {result.load:.2f}; {m['date']}",
        )
    )
