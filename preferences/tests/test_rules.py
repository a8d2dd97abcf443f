"""Whether: the levels as a table (`decisions.txt`), and what holds for whatever anybody says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.channels import CHANNELS
from preferences.rules import CategoryRule, Decision, Person, Policy, decide

MARKETING = CategoryRule("marketing", is_critical=False, unknown_policy="stop")
SECURITY = CategoryRule("security", is_critical=True, unknown_policy="resend")
ANN = "ann@example.com"


def person(addresses: Mapping[str, tuple[str, ...]] | None = None, **over: Any) -> Person:
    said: dict[str, Any] = {"channels": {}, "categories": {}, "suppressed": {}, **over}
    known = {"email": (ANN,)} if addresses is None else addresses
    return Person(
        id=None, external_id="ann", type="user", addresses=known, locale="en", **({"timezone": "UTC"} | said)
    )


def test_it_works() -> None:
    assert decide(person(), "email", MARKETING) == [Decision("email", ANN, True, "allowed")]


_LINES = (Path(__file__).parent / "decisions.txt").read_text().splitlines()
_HEAD, *_ROWS = [line.split() for line in _LINES if line and not line.startswith("#")]
TABLE = [dict(zip(_HEAD, [*row[:8], " ".join(row[8:])], strict=True)) for row in _ROWS]


def test_the_table_is_long_enough_and_no_case_is_there_twice() -> None:
    assert len({tuple(case.values()) for case in TABLE}) == len(TABLE) >= 200


@pytest.mark.parametrize("case", TABLE, ids=lambda case: "/".join(case.values()))
def test_it_lets_the_strongest_word_win(case: Mapping[str, str]) -> None:
    told = {name: said for name, said in case.items() if said != "-"}
    on = {name: said == "on" for name, said in told.items()}
    blocked = told.get("block", "")
    somebody = person(
        templates={("offer", "email"): on["template"]} if "template" in told else {},
        categories={("news", "email"): on["category"]} if "category" in told else {},
        channels={"email": on["channel"]} if "channel" in told else {},
        suppressed={("email", ANN): told["suppressed"]} if "suppressed" in told else {},
        block="why" if blocked == "recipient" else "",
    )
    news = CategoryRule(
        "news",
        is_critical="critical" in told,
        unknown_policy="stop",
        channels=frozenset({"sms"}) if "allowed" in told else None,
        defaults={"email": on["default"]} if "default" in told else {},
        block="why" if blocked == "category" else "",
    )
    policy = Policy(blocked_channels={"email": "why"} if blocked == "channel" else {})
    (decision,) = decide(somebody, "email", news, template="offer", policy=policy)
    done = "deliver" if decision.allowed else "skip"
    assert f"{done} {decision.reason}" == case["decision"]


@pytest.mark.parametrize(
    "said",
    [
        {"channels": {"sms": False}},
        {"categories": {("system", "email"): False}},
        {"categories": {("marketing", "sms"): False}},
        {"templates": {("other", "email"): False}},
        {"templates": {("offer", "sms"): False}},
        {"templates": {("", "email"): False}},
        {"suppressed": {("sms", ANN): "bounced"}},
        {"suppressed": {("email", "bob@example.com"): "bounced"}},
    ],
)
@pytest.mark.parametrize("template", ["offer", ""])
def test_what_is_said_of_something_else_is_not_said_of_this(said: dict[str, Any], template: str) -> None:
    (decision,) = decide(person(**said), "email", MARKETING, template=template)
    assert (decision.allowed, decision.reason) == (True, "allowed")


@pytest.mark.parametrize("channel", CHANNELS)
def test_it_says_when_there_is_no_address(channel: str) -> None:
    assert decide(person(addresses={}), channel, SECURITY) == [Decision(channel, "", False, "no_address")]


def test_it_decides_for_each_address() -> None:
    somebody = person(addresses={"push": ("new", "gone")}, suppressed={("push", "gone"): "invalid"})
    assert decide(somebody, "push", MARKETING) == [
        Decision("push", "new", True, "allowed"),
        Decision("push", "gone", False, "suppressed:invalid"),
    ]


channels = st.sampled_from(CHANNELS)
addresses = st.text(min_size=1, max_size=3)
codes = st.sampled_from(["marketing", "security", "offer"])
switches = st.dictionaries(st.tuples(codes, channels), st.booleans())
people = st.builds(
    person,
    addresses=st.dictionaries(channels, st.lists(addresses, max_size=3).map(tuple)),
    channels=st.dictionaries(channels, st.booleans()),
    categories=switches,
    templates=switches,
    block=st.sampled_from(["", "a debt"]),
    suppressed=st.dictionaries(st.tuples(channels, addresses), st.sampled_from(["bounced", "unsubscribed"])),
)
rules = st.builds(
    CategoryRule,
    code=codes,
    is_critical=st.booleans(),
    unknown_policy=st.just("resend"),
    channels=st.none() | st.frozensets(channels, min_size=1),
    defaults=st.dictionaries(channels, st.booleans()),
    block=st.sampled_from(["", "a law"]),
)
policies = st.builds(Policy, blocked_channels=st.dictionaries(channels, st.just("no contract")))


@given(people, channels, rules, policies)
def test_it_says_one_thing_of_each_address_and_why(
    who: Person, channel: str, rule: CategoryRule, policy: Policy
) -> None:
    decisions = decide(who, channel, rule, template="offer", policy=policy)
    assert tuple(decision.address for decision in decisions) == (who.addresses.get(channel) or ("",))
    assert all(decision.reason and decision.channel == channel for decision in decisions)
    assert decisions == decide(who, channel, rule, template="offer", policy=policy)


@given(people, channels, rules, policies)
def test_it_never_allows_a_suppressed_address(
    who: Person, channel: str, rule: CategoryRule, policy: Policy
) -> None:
    for decision in decide(who, channel, rule, template="offer", policy=policy):
        assert not (decision.allowed and (channel, decision.address) in who.suppressed)


@given(people, channels, policies)
def test_it_stops_what_is_critical_by_suppression_only(who: Person, channel: str, policy: Policy) -> None:
    for decision in decide(who, channel, SECURITY, template="offer", policy=policy):
        assert decision.allowed or decision.reason == "no_address" or "suppressed:" in decision.reason
