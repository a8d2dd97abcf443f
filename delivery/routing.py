"""Which account next: pure functions over a snapshot of the accounts.

The lowest priority number that is well wins; among equals the weighted draw decides. An account that fails
loses health, which scales its weight; health drifts back with time, so nobody has to remember to restore it.
Below `BREAKER` the account is left alone until it has drifted back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

BREAKER = 0.1
RECOVERY = dt.timedelta(minutes=5)
"""How long from no health at all to full health."""
_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """A provider account as it stood when the chunk was routed."""

    id: UUID | None
    name: str
    channel: str
    provider: str
    priority: int = 10
    weight: int = 100
    rate_per_second: int | None = None
    health: float = 1.0
    health_at: dt.datetime = _EVER

    def health_now(self, now: dt.datetime) -> float:
        return min(1.0, self.health + max(dt.timedelta(), now - self.health_at) / RECOVERY)

    def is_open(self, now: dt.datetime) -> bool:
        """Whether the breaker is open: it failed so often that it is not to be tried yet."""
        return self.health_now(now) < BREAKER

    def well_at(self, now: dt.datetime) -> dt.datetime:
        """When the breaker closes again."""
        return now + max(0.0, BREAKER - self.health_now(now)) * RECOVERY


@dataclass(frozen=True, slots=True)
class Choice:
    account: Account
    reason: str


@dataclass(frozen=True, slots=True)
class NoAccount:
    """Nobody to send by. `well_at`: when one that rests may be tried; None when there is none to wait for."""

    reason: str
    well_at: dt.datetime | None = None


def choose(
    accounts: Sequence[Account],
    *,
    spent: Collection[str] = (),
    stay_with: UUID | None = None,
    now: dt.datetime,
    random: Random,
) -> Choice | NoAccount:
    """The account for one delivery. `spent` were given up on for this route; `stay_with` is being retried."""
    usable = [account for account in accounts if str(account.id) not in spent]
    if not usable:
        return NoAccount("every account was tried" if accounts else "no account for this channel")
    well = [account for account in usable if not account.is_open(now)]
    if not well:
        return NoAccount(
            "every account is resting after failures", min(account.well_at(now) for account in usable)
        )
    if stay_with is not None and (same := next((a for a in well if a.id == stay_with), None)):
        return Choice(same, "retry with the same account")
    return _draw(
        well, now=now, random=random, skipped=len(usable) - len(well), spent=len(accounts) - len(usable)
    )


def _draw(well: Sequence[Account], *, now: dt.datetime, random: Random, skipped: int, spent: int) -> Choice:
    first = min(account.priority for account in well)
    peers = [account for account in well if account.priority == first]
    notes = [f"priority {first}"]
    if len(peers) == 1:
        account = peers[0]
    else:
        weights = [max(account.weight, 1) * account.health_now(now) for account in peers]
        account = random.choices(peers, weights)[0]
        share = weights[peers.index(account)] / sum(weights)
        notes.append(f"weight gave it {share:.0%} of {len(peers)} accounts")
    if skipped:
        notes.append(f"{skipped} resting after failures")
    if spent:
        notes.append(f"{spent} given up on")
    return Choice(account, ", ".join(notes))


def health_after(account: Account, *, failed: int, of: int, now: dt.datetime) -> float:
    """The health that remains after `failed` of `of` calls failed: two lost chunks open the breaker."""
    return account.health_now(now) * (1 - 0.7 * failed / of)
