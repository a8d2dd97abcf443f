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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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
_ROUNDS = 100
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


Opens = Callable[[dt.datetime], dt.datetime]
"""The first moment from a given one on at which nothing else speaks against it: quiet hours, for one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """When it may go, `at`, and what holds it back until then or for good; without a `cap` nothing does."""

    at: dt.datetime
    cap: Cap | None = None

    @property
    def then(self) -> Then | None:
        return None if self.cap is None else self.cap.then

    @property
    def reason(self) -> str:
        return "" if self.cap is None else f"frequency_cap:{self.cap.scope}"


def judge(caps: Sequence[Cap], places: Places, at: dt.datetime, opens: Opens = lambda at: at) -> Verdict:
    """Whether all caps have room at `at`, else from when on; of those that are full the strictest says.

    What waits goes at a moment that has room under all of them and that nothing else speaks against.
    """
    cap: Cap | None = None
    for _ in range(_ROUNDS):
        full = [(one, free) for one in caps if (free := one.free_at(places.of(one.scope), at)) > at]
        if not full:
            return Verdict(at, cap)
        cap = min((one for one, _ in full), key=lambda one: _STRICTEST.index(one.then))
        at = opens(max(free for _, free in full)) if cap.most else NEVER
        if cap.then != "defer":
            break
    else:
        at = NEVER
    return Verdict(at, cap)


@dataclass(frozen=True, slots=True)
class Capped:
    """What the caps leave of a notification.

    `legs` holds for each of its legs the channel that it begins with now, None where it goes by none.
    `channels` are the verdicts by channel. `together` is when it is to be told with others, where nothing
    goes and a cap says so. `taken` are the places that it was given.
    """

    legs: Sequence[str | None]
    channels: Mapping[str, Verdict]
    together: Verdict | None = None
    taken: Sequence[tuple[Scope, dt.datetime]] = ()


def capped(
    chains: Sequence[Sequence[str]],
    caps: Sequence[Cap],
    places: Places,
    *,
    starts: Mapping[str, dt.datetime],
    opens: Callable[[str, dt.datetime], dt.datetime] = lambda channel, at: at,
    deadline: dt.datetime | None = None,
    is_spared: bool = False,
) -> Capped:
    """Judge a notification whose legs have these channels to go by, and take the places that it is given.

    A leg goes by the first of its channels that has room when it `starts`; where none has, it waits for the
    one that has it first, if it may wait. What is spared goes in any case, and takes its places all the same.
    """
    channels = {
        name: judge([] if is_spared else _of(name, caps), places, at, partial(opens, name))
        for name, at in starts.items()
    }
    legs = [_leg(chain, channels, deadline or NEVER) for chain in chains]
    if any(legs):
        going = {name: channels[name].at for name in legs if name}
        taken = list(_take(going, {cap.scope for cap in caps}, places))
        return Capped(legs, channels, taken=taken)
    wishes = [verdict for verdict in channels.values() if verdict.then == "digest"]
    return Capped(legs, channels, min(wishes, key=lambda verdict: verdict.at, default=None))


def _of(channel: str, caps: Sequence[Cap]) -> list[Cap]:
    return [cap for cap in caps if _channel(cap.scope) in {"", channel}]


def _leg(chain: Sequence[str], channels: Mapping[str, Verdict], deadline: dt.datetime) -> str | None:
    for name in chain:
        if channels[name].cap is None:
            return name
    waiting = [n for n in chain if channels[n].then == "defer" and channels[n].at < deadline]
    return min(waiting, key=lambda name: channels[name].at, default=None)


def _take(
    going: Mapping[str, dt.datetime], scopes: Collection[Scope], places: Places
) -> Iterator[tuple[Scope, dt.datetime]]:
    """One place a scope, however many of the legs touch it: that of the first."""
    for scope in scopes:
        channel = _channel(scope)
        if touching := [at for name, at in going.items() if channel in {"", name}]:
            places.take(scope, min(touching))
            yield scope, min(touching)
