"""A channel that is only for those who have the live feed open, or only for those who have not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from preferences.rules.terms import Decision

Condition = str
"""`online` or `offline`, as `channels` says it."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A recipient's open sockets, over all web processes, and since when there has been one.

    Where it is not known they count as away: who is told twice is better off than who is not told.
    """

    sockets: int = 0
    since: dt.datetime | None = None
    is_known: bool = True

    @property
    def is_online(self) -> bool:
        return self.sockets > 0

    @property
    def reason(self) -> str:
        if not self.is_known:
            return "presence_unknown"
        return "recipient_online" if self.is_online else "recipient_offline"


AWAY = Presence()
UNKNOWN = Presence(is_known=False)


def heed(made: Decision, condition: Condition | None, presence: Presence) -> Decision:
    """The decision, with its channel's condition: what may go now goes, or not, for where its recipient is.

    What waits for a time is asked when that has come.
    """
    if condition is None or not made.allowed or made.hold is not None:
        return made
    holds = presence.is_online == (condition == "online")
    return made._replace(allowed=holds, reason=presence.reason, since=presence.since)


def put_off(made: Decision, condition: Condition | None) -> Decision:
    """The decision about a channel whose turn has not come: its condition is asked when it does."""
    if condition is None or not made.allowed:
        return made
    return made._replace(reason=f"if_{condition}")
