"""The trace of a notification as people read it: an icon, a colour, a sentence and when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REASONS = {
    "allowed": "nothing speaks against it",
    "critical": "the category goes out whatever they prefer",
    "template_on": "they asked for this template here",
    "category_on": "they asked for this category here",
    "channel_on": "they asked for this channel",
    "template_off": "they switched this template off here",
    "category_off": "they switched this category off here",
    "channel_off": "they switched this channel off",
    "default_off": "the category comes here only to those who ask for it",
    "channel_not_allowed": "the category may not use this channel",
    "recipient_blocked": "the tenant has blocked them",
    "category_blocked": "the tenant has blocked the category",
    "channel_blocked": "the tenant has blocked the channel",
    "do_not_disturb": "they do not want to be disturbed",
    "quiet_hours": "they have quiet hours",
    "sending_hours": "the category is not sent at this time, or on this day",
    "recipient_online": "they have the live feed open",
    "recipient_offline": "they do not have the live feed open",
    "presence_unknown": "it could not be asked who has the live feed open",
    "if_online": "if they have the live feed open when its turn comes",
    "if_offline": "if they do not have the live feed open when its turn comes",
    "no_address": "they have no address there",
    "no_content": "the template has no words for it",
    "all_devices": "the chain goes on once, when none of them is answered",
    "tenant_fallback": "the tenant's chain for it",
    "not_seen_in_time": "it was not seen in time",
    "not_delivered_in_time": "it was not delivered in time",
    "recipient_unknown": "nobody is known by that id",
    "category_unknown": "the tenant has no such category",
    "expired": "its time was over",
    "handed over": "",
    "published": "it is the one that is sent",
    "requested": "the request names it",
    "canary": "some recipients get the canary, and they are among them",
    "not_in_canary": "they are not among those who get the canary",
    "canary_refused": "the canary cannot serve this request",
    "not_wanted": "the request said so",
    "urgent": "what is urgent waits for nothing",
    "not_held": "nothing holds it",
    "no_recipient_id": "nobody could be found again without an id",
    "expires_before_digest": "its time would be over before the digest closes",
}
_LOOKS = {
    ("accept", "accepted"): ("inbox", "primary"),
    ("digest", "join"): ("stacks", "info"),
    ("digest", "closed"): ("stacks", "success"),
    ("digest", "tells"): ("stacks", ""),
    ("plan", "deliver"): ("check_circle", "success"),
    ("plan", "skip"): ("do_not_disturb_on", "warning"),
    ("plan", "ring_together"): ("devices", "info"),
    ("plan", "hold"): ("bedtime", "info"),
    ("plan", "expire"): ("timer_off", "warning"),
    ("plan", "failed"): ("error", "danger"),
    ("plan", "expired"): ("timer_off", "warning"),
    ("attempt", "sent"): ("send", "success"),
    ("attempt", "rate_limited"): ("hourglass_top", "warning"),
    ("attempt", "unknown"): ("help", "warning"),
    ("receipt", "delivered"): ("mark_email_read", "success"),
    ("receipt", "sent"): ("outgoing_mail", "info"),
    ("receipt", "opened"): ("drafts", "success"),
    ("receipt", "clicked"): ("ads_click", "success"),
    ("receipt", "failed"): ("report", "danger"),
    ("receipt", "complained"): ("thumb_down", "danger"),
}
_BY_STEP = {
    "version": ("history_edu", "primary"),
    "plan": ("rule", "info"),
    "route": ("alt_route", "info"),
    "attempt": ("error", "danger"),
    "receipt": ("receipt_long", ""),
    "escalate": ("notification_important", "warning"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`after` is how long after acceptance it was, e.g. `+340 ms`."""

    icon: str
    tone: str
    title: str
    note: str
    code: str
    at: dt.datetime
    after: str


def timeline(trace: Sequence[Mapping[str, Any]]) -> list[Entry]:
    begun = trace[0]["at"]
    return [_entry(step, begun) for step in trace]


def _entry(step: Mapping[str, Any], begun: dt.datetime) -> Entry:
    kind, decision = _kind(step), step["decision"]
    icon, tone = _LOOKS.get((kind, decision)) or _BY_STEP.get(kind, ("circle", ""))
    code, at = step.get("code", ""), step["at"]
    return Entry(icon, tone, _title(step), _note(step), code, at, since(at - begun))


def _kind(step: Mapping[str, Any]) -> str:
    """What is decided again before it leaves reads as when it was planned."""
    kind: str = step["step"]
    return "plan" if kind == "decide" else kind


_TITLES = {
    ("accept", "accepted"): "Accepted",
    ("digest", "join"): "Waits to be told with others",
    ("digest", "at_once"): "Told at once",
    ("digest", "closed"): "Told with others",
    ("digest", "tells"): "Tells of an event",
    ("digest", "not_listed"): "Tells only the number of the rest",
    ("plan", "deliver"): "{channel}: deliver to {address}",
    ("plan", "skip"): "{channel}: leave out {address}",
    ("plan", "hold"): "{channel}: wait",
    ("plan", "expire"): "{channel}: too late",
    ("plan", "ring_together"): "{channel}: every device rings",
    ("version", ""): "The template's {decision}",
    ("plan", ""): "Planned: {decision}",
    ("route", ""): "{channel}: by {decision}",
    ("attempt", "sent"): "{channel}: handed over",
    ("attempt", ""): "{channel}: {decision} error",
    ("receipt", ""): "The provider says: {decision}",
    ("escalate", ""): "After {channel} now {decision}",
}


def _title(step: Mapping[str, Any]) -> str:
    """Of the step's decision, or of any decision of the step."""
    kind, decision = _kind(step), step["decision"]
    title = _TITLES.get((kind, decision)) or _TITLES.get((kind, ""), "{decision}")
    channel = step.get("channel", "")
    address = "the feed" if channel == "in_app" else step.get("address", "")
    named = decision if kind == "route" else _words(decision)
    words = title.format(channel=channel, address=address, decision=named)
    return words.strip() + (", decided again" if step["step"] == "decide" else "")


def _note(step: Mapping[str, Any]) -> str:
    times = (f", {word} {_minute(step[word])}" for word in ("since", "until") if word in step)
    return _why(step["reason"]) + "".join(times)


def _minute(at: str) -> str:
    return f"{dt.datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"


def _why(reason: str) -> str:
    if reason.startswith("suppressed:"):
        return f"the address is suppressed: {reason.partition(':')[2]}"
    if reason.startswith("frequency_cap:"):
        return f"a frequency cap has no room: {_words(reason.partition(':')[2])}"
    return _REASONS.get(reason, _words(reason))


def _words(code: str) -> str:
    return code.replace("_", " ")


def since(passed: dt.timedelta) -> str:
    """`+340 ms`, `+2.1 s`, `+3 min`, `+2 h`, `+5 d`; empty at the start."""
    seconds = passed.total_seconds()
    if seconds <= 0:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"+{seconds / size:.0f} {unit}"
    return f"+{seconds:.1f} s" if seconds >= 1 else f"+{seconds * 1000:.0f} ms"
