"""What became of a notification, what should have, and the difference. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

LATEST = dt.timedelta(seconds=3)
"""How late one that was scheduled may arrive."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message where its reader finds it."""

    channel: str
    to: str
    words: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One provider call, as the API shows it, with what it led to."""

    channel: str
    account: str
    outcome: str
    code: str
    ms: int
    then: str

    def __str__(self) -> str:
        return f"{self.channel} {self.account} {self.outcome}"


@dataclass(frozen=True, slots=True)
class Found:
    """A notification: `accepted` is what the API answered to its request, `detail` what it shows now."""

    accepted: Mapping[str, Any]
    detail: Mapping[str, Any]
    arrivals: Sequence[Arrival]

    @property
    def accepted_at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.accepted["created_at"])

    @property
    def send_at(self) -> dt.datetime | None:
        given = self.accepted["send_at"]
        return None if given is None else dt.datetime.fromisoformat(given)

    @property
    def statuses(self) -> dict[str, str]:
        """By channel, each delivery's. A delivery's channel is the one it ended on."""
        return {delivery["channel"]: delivery["status"] for delivery in self.detail["deliveries"]}

    def status_on(self, channel: str) -> str:
        """Of its delivery there; of one that went on by another channel, what a receipt told against it."""
        if channel in self.statuses:
            return self.statuses[channel]
        told = [step for step in self.detail["trace"] if step["step"] == "receipt"]
        return next((step["decision"] for step in told if step["decision"] == "failed"), "")

    @property
    def attempts(self) -> list[Attempt]:
        """Delivery by delivery, in the order they were made."""
        led_to = {
            (step["at"], step["channel"]): step["reason"]
            for step in self.detail["trace"]
            if step["step"] == "attempt"
        }
        return [
            _attempt(each, led_to[each["at"], each["channel"]])
            for delivery in self.detail["deliveries"]
            for each in delivery["attempts"]
        ]


def _attempt(shown: Mapping[str, Any], then: str) -> Attempt:
    return Attempt(shown["channel"], shown["account"], shown["outcome"], shown["code"], shown["ms"], then)


@dataclass(frozen=True, slots=True)
class Expected:
    """`ends`: by channel, the status of its delivery; a message arrives once on each, and on no other.

    Other than on those that it `passes`: where a vendor took it that then did not deliver. `attempts`: in
    order, `channel account outcome`, where `*` stands for anything.
    """

    ends: Mapping[str, str]
    attempts: Sequence[str]
    accepted: str = "accepted"
    passes: Sequence[str] = ()


LOST = {"failed", "suppressed", "expired", "canceled"}


def has_ended(expected: Expected, found: Found) -> bool:
    """Whether there is nothing left to wait for: all that was planned is as expected, or will never be."""
    if not found.statuses:
        return found.detail["status"] in LOST
    alive = {channel: status for channel, status in found.statuses.items() if status not in LOST}
    arrived = {arrival.channel for arrival in found.arrivals}
    return alive.items() <= expected.ends.items() and alive.keys() <= arrived


def missing(expected: Expected, found: Found) -> Iterator[str]:
    """What is not as it should be, a line each."""
    if found.accepted["status"] != expected.accepted:
        yield f"the answer to the request said {found.accepted['status']}, not {expected.accepted}"
    yield from _misarrived(expected, found)
    yield from _misended(expected, found)
    made = [str(attempt) for attempt in found.attempts]
    if len(made) != len(expected.attempts) or not all(map(fnmatchcase, made, expected.attempts)):
        yield f"attempts: {', '.join(made) or 'none'}; expected: {', '.join(expected.attempts)}"
    yield from _mistimed(found)


def _misarrived(expected: Expected, found: Found) -> Iterator[str]:
    times = Counter(arrival.channel for arrival in found.arrivals)
    for channel in sorted({*expected.ends, *expected.passes, *times}):
        wanted = 1 if channel in {*expected.ends, *expected.passes} else 0
        if times[channel] != wanted:
            yield f"{channel}: arrived {times[channel]} times, not {'once' if wanted else 'expected at all'}"


def _misended(expected: Expected, found: Found) -> Iterator[str]:
    for channel, wanted in expected.ends.items():
        status = found.statuses.get(channel)
        if status is None:
            yield f"{channel}: no delivery{_decision(channel, found)}"
        elif status != wanted:
            yield f"{channel}: its delivery is {status}, not {wanted}{_reason(channel, found)}"


def _decision(channel: str, found: Found) -> str:
    """Why planning made none."""
    steps = [s for s in found.detail["trace"] if s["step"] == "plan" and s.get("channel") == channel]
    return f" ({steps[-1]['decision']}: {steps[-1]['reason']})" if steps else ""


def _reason(channel: str, found: Found) -> str:
    for delivery in found.detail["deliveries"]:
        if delivery["channel"] == channel and delivery["reason"]:
            return f" ({delivery['reason']}{': ' if delivery['detail'] else ''}{delivery['detail']})"
    return ""


def _mistimed(found: Found) -> Iterator[str]:
    if (send_at := found.send_at) is None:
        return
    for arrival in found.arrivals:
        late = arrival.at - send_at
        if not dt.timedelta() <= late < LATEST:
            yield f"{arrival.channel}: arrived {late.total_seconds():+.3f} s from its time"
