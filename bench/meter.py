"""What processes use: CPU seconds between two moments, and memory sampled while it runs."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

_EVERY = 0.2  # seconds between two samples of memory
_LOOK_AROUND = 5  # samples between two looks for new processes
_RENDERER = "engine.py"
STACK = ("web", "worker", "beat", "renderers")
OVERHEAD = ("sink", "client", "bench", "stack")
"""Processes of the benchmark, whose work is nobody's product."""

Usage = dict[str, float]


@dataclass(slots=True)
class Memory:
    """Resident megabytes, by group of processes, a sample each fifth of a second."""

    samples: list[Usage] = field(default_factory=list)

    def peak(self) -> Usage:
        names = {name for sample in self.samples for name in sample}
        return {name: max(sample.get(name, 0.0) for sample in self.samples) for name in sorted(names)}

    def peak_of_stack(self) -> float:
        return max(map(of_stack, self.samples), default=0.0)

    def growth(self) -> float:
        """Of the workers: at the end against a fifth of the way, when they were warm."""
        workers = [sample["worker"] + sample.get("renderers", 0.0) for sample in self.samples]
        return workers[-1] - workers[len(workers) // 5] if workers else 0.0


def work(usage: Usage) -> float:
    """What was used, by all but the benchmark itself."""
    return sum(used for name, used in usage.items() if name not in OVERHEAD)


def of_stack(usage: Usage) -> float:
    return sum(usage.get(name, 0.0) for name in STACK)


class Meter:
    """Process trees by name. A renderer, wherever it stands in the stack's trees, counts as one."""

    def __init__(self, trees: Mapping[str, psutil.Process], single: Mapping[str, psutil.Process]) -> None:
        """`trees` with all their descendants, `single` without."""
        self._trees = trees
        self._single = single

    def cpu(self) -> Usage:
        """CPU seconds so far, of the living and of those that they buried."""
        used: dict[str, float] = defaultdict(float)
        for name, process in self.members():
            with suppress(psutil.Error):
                used[name] += sum(process.cpu_times()[:4])
        return used

    def memory(self) -> Usage:
        return _resident(list(self.members()))

    def proportional_memory(self) -> Usage:
        """As `memory`, but a page that processes share is shared out among them. Linux only, and slow."""
        used: dict[str, float] = defaultdict(float)
        for name, process in self.members():
            with suppress(psutil.Error, AttributeError):
                used[name] += process.memory_full_info().pss / 1e6
        return used

    def plus(self, name: str, pids: Iterable[int]) -> Meter:
        """This one, watching the trees of some more processes."""
        more = {f"{name} {pid}": psutil.Process(pid) for pid in pids}
        return Meter({**self._trees, **more}, self._single)

    def watch(self) -> Watch:
        return Watch(self)

    def members(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process with the name of its group."""
        yield from self._single.items()
        for name, root in self._trees.items():
            yield name, root
            with suppress(psutil.Error):
                for process in root.children(recursive=True):
                    yield _group(name, process), process


class Watch:
    """What was used while the `with` block lasted: CPU seconds, memory, and what strangers took."""

    def __init__(self, meter: Meter) -> None:
        self.memory = Memory()
        self.cpu: Usage = {}
        self.strangers = 0.0
        """The share of all cores, 0 to 1, that processes other than ours kept busy."""
        self._meter = meter
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self._before, self._machine = self._meter.cpu(), _machine()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.cpu = {name: used - self._before.get(name, 0.0) for name, used in self._meter.cpu().items()}
        busy, all_cores = (now - then for now, then in zip(_machine(), self._machine, strict=True))
        self.strangers = max(0.0, busy - sum(self.cpu.values())) / all_cores if all_cores else 0.0
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        members: list[tuple[str, psutil.Process]] = []
        while not self._over.wait(_EVERY):
            if len(self.memory.samples) % _LOOK_AROUND == 0:
                members = list(self._meter.members())
            self.memory.samples.append(_resident(members))


def _machine() -> tuple[float, float]:
    """CPU seconds of all cores since it was started: busy, and altogether."""
    times = psutil.cpu_times()
    idle: float = times.idle + getattr(times, "iowait", 0.0)
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - idle, total


def _group(name: str, process: psutil.Process) -> str:
    with suppress(psutil.Error):
        if name in STACK and any(part.endswith(_RENDERER) for part in process.cmdline()):
            return "renderers"
    return name


def _resident(members: list[tuple[str, psutil.Process]]) -> Usage:
    """Resident megabytes. What PostgreSQL's processes share is counted once."""
    own: dict[str, float] = defaultdict(float)
    shared: dict[str, float] = defaultdict(float)
    for name, process in members:
        with suppress(psutil.Error):
            info = process.memory_info()
            if name == "postgres":
                own[name] += (info.rss - info.shared) / 1e6
                shared[name] = max(shared[name], info.shared / 1e6)
            else:
                own[name] += info.rss / 1e6
    return {name: own[name] + shared[name] for name in own}
