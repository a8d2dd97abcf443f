"""What a message costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one message: CPU in microseconds, and how many go out in a second of the clock."""

    cpu_us: float
    per_s: float

    @property
    def per_core(self) -> float:
        return 1e6 / self.cpu_us
