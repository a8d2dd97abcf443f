"""What was measured, and the figures that are read off it: medians over the rounds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.meter import Usage, of_stack, work
from bench.options import Options
from bench.pipeline import Run
from bench.yardsticks import Measure

WRONGS = ("missing", "duplicates", "unsettled")
"""Of a ledger, what must be nought."""


@dataclass(frozen=True, slots=True)
class Yardsticks:
    baseline: Measure
    limit: Measure


@dataclass(frozen=True, slots=True)
class Round:
    run: Run
    yardsticks: Yardsticks | None


@dataclass(frozen=True, slots=True)
class Result:
    """`load` is the machine's load average before it began; `idle_mb`, `idle_pss` the memory then."""

    options: Options
    machine: dict[str, Any]
    load: float
    idle_mb: Usage
    idle_pss: Usage
    rounds: Sequence[Round]

    @property
    def balances(self) -> bool:
        return not any(ledger[wrong] for ledger in self.ledgers.values() for wrong in WRONGS)

    @property
    def ledgers(self) -> dict[str, dict[str, int]]:
        """By phase, over all rounds: what should have arrived, and what did not or more than once."""
        both = [y for r in self.rounds if (y := r.yardsticks)]
        phases = {
            "pipeline": [r.run.ledger for r in self.rounds],
            "baseline": [y.baseline.ledger for y in both],
            "limit": [y.limit.ledger for y in both],
        }
        return {
            phase: {name: sum(getattr(ledger, name) for ledger in ledgers) for name in ("expected", *WRONGS)}
            for phase, ledgers in phases.items()
            if ledgers
        }

    @property
    def end_to_end_per_s(self) -> float:
        return self._median(lambda run: run.n / run.seconds)

    @property
    def accept_per_s(self) -> float:
        return self._median(lambda run: run.n / run.accept_seconds)

    @property
    def baseline_per_s(self) -> float | None:
        return self._yardstick(lambda yardsticks: yardsticks.baseline)

    @property
    def limit_per_s(self) -> float | None:
        return self._yardstick(lambda yardsticks: yardsticks.limit)

    @property
    def times_baseline(self) -> float | None:
        return None if self.baseline_per_s is None else self.end_to_end_per_s / self.baseline_per_s

    @property
    def share_of_limit(self) -> float | None:
        return None if self.limit_per_s is None else self.end_to_end_per_s / self.limit_per_s

    @property
    def urgent_ms(self) -> dict[str, float]:
        """Over the urgent notifications of all rounds."""
        taken = sorted(ms for one in self.rounds for ms in one.run.urgent_ms)
        return {f"p{percent}": percentile(taken, percent) for percent in (50, 95, 99)} if taken else {}

    @property
    def idle_rss_mb(self) -> float:
        return of_stack(self.idle_mb)

    @property
    def idle_pss_mb(self) -> float:
        """As `idle_rss_mb`, but what forked processes share is counted once."""
        return of_stack(self.idle_pss)

    @property
    def peak_rss_mb(self) -> float:
        """Web, worker and beat together, at their highest in any round."""
        return max(one.run.peak_stack_mb for one in self.rounds)

    @property
    def peak_mb(self) -> Usage:
        names = self.rounds[0].run.peak_mb
        return {name: max(r.run.peak_mb.get(name, 0.0) for r in self.rounds) for name in names}

    @property
    def worker_growth_mb(self) -> float:
        return max(one.run.growth_mb for one in self.rounds)

    @property
    def cpu_s(self) -> dict[str, Usage]:
        """By phase, CPU seconds by process in the last round."""
        last = self.rounds[-1]
        told = {"pipeline": last.run.cpu}
        if last.yardsticks:
            told |= {"baseline": last.yardsticks.baseline.cpu, "limit": last.yardsticks.limit.cpu}
        return {phase: {name: used for name, used in cpu.items() if used} for phase, cpu in told.items()}

    @property
    def cpu_ms_each(self) -> dict[str, float]:
        """By phase, CPU milliseconds a notification, of all processes but the benchmark's own."""
        return self._by_phase(lambda part: 1000 * work(part.cpu) / part.n)

    @property
    def strangers(self) -> dict[str, float]:
        """By phase, the share of the machine that others kept busy: what makes a figure doubtful."""
        return self._by_phase(lambda part: part.strangers)

    def _by_phase(self, figure: Callable[[Run | Measure], float]) -> dict[str, float]:
        phases: dict[str, list[float]] = defaultdict(list)
        for one in self.rounds:
            phases["pipeline"].append(figure(one.run))
            if one.yardsticks:
                phases["baseline"].append(figure(one.yardsticks.baseline))
                phases["limit"].append(figure(one.yardsticks.limit))
        return {phase: statistics.median(figures) for phase, figures in phases.items()}

    def document(self) -> dict[str, Any]:
        """For machines: figures first, then what they were made of."""
        options = asdict(self.options) | {"profile": None}
        named = (
            *(
                "end_to_end_per_s",
                "accept_per_s",
                "urgent_ms",
                "baseline_per_s",
                "limit_per_s",
                "peak_rss_mb",
            ),
            *("times_baseline", "share_of_limit", "idle_rss_mb", "idle_pss_mb", "idle_mb", "peak_mb"),
            *("worker_growth_mb", "cpu_s", "cpu_ms_each", "strangers", "ledgers", "machine", "load"),
        )
        figures = {name: _rounded(getattr(self, name)) for name in named}
        return figures | {"options": options, "urgent_sent": sum(len(r.run.urgent_ms) for r in self.rounds)}

    def _median(self, figure: Callable[[Run], float]) -> float:
        return statistics.median(figure(one.run) for one in self.rounds)

    def _yardstick(self, which: Callable[[Yardsticks], Measure]) -> float | None:
        measured = [which(y).per_s for one in self.rounds if (y := one.yardsticks)]
        return statistics.median(measured) if measured else None


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest rank: a value that was really measured."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, 3) if isinstance(value, float) else value
