"""How much a person gets: frequency caps, in windows that slide. Pure, with clock and history passed in.

A cap holds for a scope: a channel or everything, or that within the notification's category. A notification
takes one place in each scope that it touches: one for each channel that a leg of it begins with, one in all.
What is deferred takes its place in the time to come, so no two are ever given the same one.

That is exact by one rule: with `most` places in any stretch of `length`, the next is free `length` after the
`most`-th last one that was given.
"""

from __future__ import annotations

import datetime as dt
from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Then = Literal["drop", "digest", "defer"]
Scope = str

EVERYTHING, CATEGORY = "all", "category"
"""The scopes that are no channel's. `category:sms` is that of text messages of the category."""
LENGTHS = {
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
    "week": dt.timedelta(days=7),
    "month": dt.timedelta(days=30),
}
NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
_STRICTEST: tuple[Then, ...] = ("drop", "digest", "defer")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many in any stretch of `length`; `then` is what becomes of one too many."""

    scope: Scope
    most: int
    length: dt.timedelta
    then: Then = "drop"

    def free_at(self, given: Sequence[dt.datetime], at: dt.datetime) -> dt.datetime:
        """The first moment from `at` on that has room; `given` are the places that are taken, in order.

        A place is free again the moment that it is as old as the window is long. Of none at all, `NEVER`.
        """
        if self.most == 0:
            return NEVER
        return at if len(given) < self.most else max(at, given[-self.most] + self.length)


def read(frequency: Mapping[str, Mapping[str, Any]], then: Then, *, of_category: bool = False) -> list[Cap]:
    """The caps of `{"sms": {"max": 5, "per": "day"}, "all": …}`; those of a category count its own alone.

    `then` is for those that do not say. Where none may go at all, nothing waits for it.
    """
    return [
        Cap(
            _scope(name) if of_category else name,
            said["max"],
            LENGTHS[said["per"]],
            said.get("then") or then if said["max"] else "drop",
        )
        for name, said in frequency.items()
    ]


def _scope(name: str) -> Scope:
    return CATEGORY if name == EVERYTHING else f"{CATEGORY}:{name}"


def _channel(scope: Scope) -> str:
    """The channel of a scope, empty where it is all of them."""
    channel = scope.removeprefix(f"{CATEGORY}:")
    return "" if channel in {CATEGORY, EVERYTHING} else channel


@dataclass(slots=True)
class Places:
    """What a recipient was given, by scope: the moments, in order."""

    given: dict[Scope, list[dt.datetime]] = field(default_factory=dict)

    def of(self, scope: Scope) -> list[dt.datetime]:
        return self.given.setdefault(scope, [])

    def take(self, scope: Scope, at: dt.datetime) -> None:
        insort(self.of(scope), at)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cap` is what holds it back, until `at` or for good; None where nothing does."""

    at: dt.datetime
    cap: Cap | None = None

    @property
    def then(self) -> Then | None:
        return None if self.cap is None else self.cap.then

    @property
    def reason(self) -> str:
        return "" if self.cap is None else f"frequency_cap:{self.cap.scope}"


def judge(caps: Iterable[Cap], places: Places, at: dt.datetime) -> Verdict:
    """Whether all caps have room at `at`, else from when on; of those that are full the strictest says."""
    full = [(cap, free) for cap in caps if (free := cap.free_at(places.of(cap.scope), at)) > at]
    if not full:
        return Verdict(at)
    strictest = min((cap for cap, _ in full), key=lambda cap: _STRICTEST.index(cap.then))
    return Verdict(max(free for _, free in full), strictest)


@dataclass(frozen=True, slots=True)
class Capped:
    """What the caps leave of a notification.

    `legs` holds for each of its legs the channel that it begins with now, and when; None where it is dropped.
    `channels` are the verdicts by channel, `whole` is the notification's; a `digest` there is for all of it.
    """

    legs: Sequence[tuple[str, dt.datetime] | None]
    whole: Verdict
    channels: Mapping[str, Verdict]


def capped(
    chains: Sequence[Sequence[str]], caps: Sequence[Cap], places: Places, *, at: dt.datetime, is_spared: bool
) -> Capped:
    """Judge a notification whose legs have these channels to go by, and take the places that it is given.

    A leg goes by the first of its channels that has room; where none has, it waits for the one that has it
    first, if it may wait. What is spared goes in any case, and takes its places all the same.
    """
    bound = () if is_spared else caps
    whole = judge((cap for cap in bound if not _channel(cap.scope)), places, at)
    if whole.then in {"drop", "digest"}:
        return Capped([None] * len(chains), whole, {})
    names = {channel for chain in chains for channel in chain}
    channels = {
        name: judge((cap for cap in bound if _channel(cap.scope) == name), places, whole.at) for name in names
    }
    legs = [_leg(chain, channels) for chain in chains]
    if not any(legs) and (wish := _wish(channels.values())) is not None:
        return Capped(legs, wish, channels)
    _take([leg for leg in legs if leg is not None], {cap.scope for cap in caps}, places)
    return Capped(legs, whole, channels)


def _leg(chain: Sequence[str], channels: Mapping[str, Verdict]) -> tuple[str, dt.datetime] | None:
    for channel in chain:
        if channels[channel].cap is None:
            return channel, channels[channel].at
    waiting = [(channels[channel].at, channel) for channel in chain if channels[channel].then == "defer"]
    return (min(waiting)[1], min(waiting)[0]) if waiting else None


def _wish(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Nothing goes: whether it is to be told later with others, and from when on that has room."""
    wishes = [verdict for verdict in verdicts if verdict.then == "digest"]
    return min(wishes, key=lambda verdict: verdict.at, default=None)


def _take(legs: Sequence[tuple[str, dt.datetime]], scopes: Collection[Scope], places: Places) -> None:
    """One place a scope, however many of the legs touch it: that of the first."""
    for scope in scopes:
        channel = _channel(scope)
        if touching := [at for name, at in legs if channel in {"", name}]:
            places.take(scope, min(touching))
