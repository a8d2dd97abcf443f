"""Whether, and then when, for each address of a person on a channel."""

from __future__ import annotations

from preferences.rules.holding import NEVER, hold
from preferences.rules.terms import NO_POLICY, CategoryRule, Circumstances, Decision, Hold, Person, Policy

Verdict = tuple[bool, str]
"""Whether, and the reason."""


def decide(
    person: Person,
    channel: str,
    category: CategoryRule,
    *,
    template: str = "",
    policy: Policy = NO_POLICY,
    asked: Circumstances | None = None,
) -> list[Decision]:
    """A decision for each of the person's addresses on the channel, or one that says `no_address`.

    `template` is the code of the one that it is told with, and empty where there is none.
    """
    addresses = person.addresses.get(channel, ())
    if not addresses:
        return [Decision(channel, "", False, "no_address")]
    allowed, reason = _whether(person, channel, category, template, policy)
    held = hold(person, channel, category, policy, asked) if allowed and asked else None
    return [
        _suppressed(channel, address, why)
        if (why := person.suppressed.get((channel, address)))
        else _timed(channel, address, allowed, reason, held, asked)
        for address in addresses
    ]


def _suppressed(channel: str, address: str, why: str) -> Decision:
    return Decision(channel, address, False, f"suppressed:{why}")


def _timed(
    channel: str,
    address: str,
    allowed: bool,
    reason: str,
    held: Hold | None,
    asked: Circumstances | None,
) -> Decision:
    """Of what is held: not at all where it never opens, or opens when it is too late."""
    if held is None or asked is None:
        return Decision(channel, address, allowed, reason)
    if held.opens_at == NEVER:
        return Decision(channel, address, False, held.reason)
    in_time = asked.deadline is None or held.opens_at < asked.deadline
    return Decision(channel, address, in_time, held.reason, held)


def _whether(person: Person, channel: str, category: CategoryRule, template: str, policy: Policy) -> Verdict:
    if category.channels is not None and channel not in category.channels:
        return False, "channel_not_allowed"
    if category.is_critical:
        return True, "critical"
    if blocked := _block(person, channel, category, policy):
        return False, blocked
    return _preferred(person, channel, category, template)


def _block(person: Person, channel: str, category: CategoryRule, policy: Policy) -> str:
    if person.block:
        return "recipient_blocked"
    if category.block:
        return "category_blocked"
    return "channel_blocked" if channel in policy.blocked_channels else ""


def _preferred(person: Person, channel: str, category: CategoryRule, template: str) -> Verdict:
    for level, switch in (
        ("template", person.templates.get((template, channel)) if template else None),
        ("category", person.categories.get((category.code, channel))),
        ("channel", person.channels.get(channel)),
    ):
        if switch is not None:
            return switch, f"{level}_{'on' if switch else 'off'}"
    return (True, "allowed") if category.defaults.get(channel, True) else (False, "default_off")
