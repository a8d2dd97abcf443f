"""Which account next: pure functions over a snapshot of the accounts.

The accounts that the tenant's order names come first, in that order; then the lowest priority number that is
well wins; among equals the weighted draw decides. An account that fails loses health, which scales its
weight; health drifts back with time, so nobody has to remember to restore it. Below `BREAKER` the account is
left alone until it has drifted back. An operator's word stands above all that: one that is pinned is used
before every other whatever its health, one that is drained gets nothing.
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
DRAINED_FOR = dt.timedelta(minutes=1)
"""When to look again for what waits for a drained account: nobody knows when its operator is done."""
PIN, DRAIN = "pin", "drain"
_UNNAMED = 2**31
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
    place: int | None = None  # in the tenant's own order of accounts
    steering: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """The lowest comes first."""
        return (_UNNAMED if self.place is None else self.place, self.priority)

    def health_now(self, now: dt.datetime) -> float:
        return min(1.0, self.health + max(dt.timedelta(), now - self.health_at) / RECOVERY)

    def weight_now(self, now: dt.datetime) -> float:
        """Its share in a draw: what it was given, as far as it is well; never nothing."""
        return max(self.weight, 1) * max(self.health_now(now), 0.001)

    def is_open(self, now: dt.datetime) -> bool:
        """Whether the breaker is open: it failed so often that it is not to be tried yet."""
        return self.health_now(now) < BREAKER

    def well_at(self, now: dt.datetime) -> dt.datetime:
        """When the breaker closes again; of a drained account, when to ask again."""
        if self.steering == DRAIN:
            return now + DRAINED_FOR
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
    if pinned := [account for account in usable if account.steering == PIN]:
        return _pinned(pinned, now=now, random=random)
    fed = [account for account in usable if account.steering != DRAIN]
    well = [account for account in fed if not account.is_open(now)]
    if not well:
        reason = "every account is resting after failures" if fed else "every account is drained"
        return NoAccount(reason, min(account.well_at(now) for account in usable))
    if stay_with is not None and (same := next((a for a in well if a.id == stay_with), None)):
        return Choice(same, "retry with the same account")
    notes = {
        "resting after failures": len(fed) - len(well),
        "drained": len(usable) - len(fed),
        "given up on": len(accounts) - len(usable),
    }
    return _draw(well, now=now, random=random, notes=[f"{n} {why}" for why, n in notes.items() if n])


def _pinned(pinned: Sequence[Account], *, now: dt.datetime, random: Random) -> Choice:
    choice = _draw(pinned, now=now, random=random, notes=[])
    return Choice(choice.account, f"pinned, {choice.reason}")


def _draw(well: Sequence[Account], *, now: dt.datetime, random: Random, notes: Sequence[str]) -> Choice:
    first = min(account.rank for account in well)
    peers = [account for account in well if account.rank == first]
    account = peers[0]
    said = [f"priority {account.priority}" if account.place is None else _in_order(account.place)]
    if len(peers) > 1:
        weights = [peer.weight_now(now) for peer in peers]
        account = random.choices(peers, weights)[0]
        share = weights[peers.index(account)] / sum(weights)
        said.append(f"weight gave it {share:.0%} of {len(peers)} accounts")
    return Choice(account, ", ".join([*said, *notes]))


def _in_order(place: int) -> str:
    return f"number {place + 1} in the tenant's order"


def health_after(account: Account, *, failed: int, of: int, now: dt.datetime) -> float:
    """The health that remains after `failed` of `of` calls failed: two lost chunks open the breaker."""
    return account.health_now(now) * (1 - 0.7 * failed / of)
