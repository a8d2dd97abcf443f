"""Whether every message reached the vendor, none twice, and whether each was written down as sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

Times = dict[str, list[float]]
"""When messages arrived, by address."""


@dataclass(frozen=True, slots=True)
class Ledger:
    expected: int
    missing: int
    duplicates: int
    """Arrivals beyond what was expected, also at addresses where nothing was."""
    unsettled: int
    """Notifications whose status does not say that they were sent."""

    @classmethod
    def of(cls, expected: Iterable[str], arrivals: Times, *, unsettled: int) -> Ledger:
        wanted = Counter(expected)
        came = Counter({to: len(times) for to, times in arrivals.items()})
        return cls(wanted.total(), (wanted - came).total(), (came - wanted).total(), unsettled)

    @property
    def balances(self) -> bool:
        return not (self.missing or self.duplicates or self.unsettled)
