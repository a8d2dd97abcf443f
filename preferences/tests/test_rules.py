from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.channels import CHANNELS
from preferences.rules import CategoryRule, Decision, Person, decide

MARKETING = CategoryRule("marketing", is_critical=False, unknown_policy="stop")
SECURITY = CategoryRule("security", is_critical=True, unknown_policy="resend")

NO_SWITCHES: Mapping[str, bool] = {}
ON, OFF = {"email": True}, {"email": False}
CATEGORY_ON, CATEGORY_OFF = {("marketing", "email"): True}, {("marketing", "email"): False}
BOUNCED = {("email", "ann@example.com"): "bounced"}


def person(
    addresses: Mapping[str, tuple[str, ...]] | None = None,
    channels: Mapping[str, bool] = NO_SWITCHES,
    categories: Mapping[tuple[str, str], bool] | None = None,
    suppressed: Mapping[tuple[str, str], str] | None = None,
) -> Person:
    return Person(
        id=None,
        external_id="ann",
        type="user",
        addresses={"email": ("ann@example.com",)} if addresses is None else addresses,
        locale="en",
        timezone="UTC",
        channels=channels,
        categories=categories or {},
        suppressed=suppressed or {},
    )


def test_it_works() -> None:
    assert decide(person(), "email", MARKETING) == [Decision("email", "ann@example.com", True, "allowed")]


# Switch of the channel, switch of the category on it, suppressed, critical: what comes of it.
TABLE = [
    ({}, {}, {}, MARKETING, (True, "allowed")),
    (ON, {}, {}, MARKETING, (True, "channel_on")),
    (OFF, {}, {}, MARKETING, (False, "channel_off")),
    ({}, CATEGORY_ON, {}, MARKETING, (True, "category_on")),
    ({}, CATEGORY_OFF, {}, MARKETING, (False, "category_off")),
    (ON, CATEGORY_ON, {}, MARKETING, (True, "category_on")),
    (ON, CATEGORY_OFF, {}, MARKETING, (False, "category_off")),
    (OFF, CATEGORY_ON, {}, MARKETING, (True, "category_on")),
    (OFF, CATEGORY_OFF, {}, MARKETING, (False, "category_off")),
    ({}, {}, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (ON, {}, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (OFF, {}, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    ({}, CATEGORY_ON, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    ({}, CATEGORY_OFF, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (ON, CATEGORY_ON, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (ON, CATEGORY_OFF, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (OFF, CATEGORY_ON, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    (OFF, CATEGORY_OFF, BOUNCED, MARKETING, (False, "suppressed:bounced")),
    ({}, {}, {}, SECURITY, (True, "critical")),
    (ON, {}, {}, SECURITY, (True, "critical")),
    (OFF, {}, {}, SECURITY, (True, "critical")),
    ({}, {("security", "email"): False}, {}, SECURITY, (True, "critical")),
    (OFF, {("security", "email"): False}, {}, SECURITY, (True, "critical")),
    ({}, {}, BOUNCED, SECURITY, (False, "suppressed:bounced")),
    (ON, {("security", "email"): True}, BOUNCED, SECURITY, (False, "suppressed:bounced")),
    # What was said of another channel, category or address is not said of this one.
    ({"sms": False}, {}, {}, MARKETING, (True, "allowed")),
    ({}, {("system", "email"): False}, {}, MARKETING, (True, "allowed")),
    ({}, {("marketing", "sms"): False}, {}, MARKETING, (True, "allowed")),
    (OFF, {("system", "email"): True}, {}, MARKETING, (False, "channel_off")),
    ({}, {}, {("sms", "ann@example.com"): "bounced"}, MARKETING, (True, "allowed")),
    ({}, {}, {("email", "bob@example.com"): "bounced"}, MARKETING, (True, "allowed")),
    *(
        ({}, {}, {("email", "ann@example.com"): why}, MARKETING, (False, f"suppressed:{why}"))
        for why in ("complained", "unsubscribed", "invalid", "manual")
    ),
]


@pytest.mark.parametrize(("channels", "categories", "suppressed", "category", "expected"), TABLE)
def test_it_lets_the_most_particular_word_win(
    channels: Mapping[str, bool],
    categories: Mapping[tuple[str, str], bool],
    suppressed: Mapping[tuple[str, str], str],
    category: CategoryRule,
    expected: tuple[bool, str],
) -> None:
    somebody = person(channels=channels, categories=categories, suppressed=suppressed)
    (decision,) = decide(somebody, "email", category)
    assert (decision.allowed, decision.reason) == expected


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
people = st.builds(
    person,
    addresses=st.dictionaries(channels, st.lists(addresses, max_size=3).map(tuple)),
    channels=st.dictionaries(channels, st.booleans()),
    categories=st.dictionaries(
        st.tuples(st.sampled_from(["marketing", "security"]), channels), st.booleans()
    ),
    suppressed=st.dictionaries(st.tuples(channels, addresses), st.sampled_from(["bounced", "unsubscribed"])),
)
rules = st.sampled_from([MARKETING, SECURITY])


@given(people, channels, rules)
def test_it_never_allows_a_suppressed_address(who: Person, channel: str, rule: CategoryRule) -> None:
    for decision in decide(who, channel, rule):
        assert not (decision.allowed and (channel, decision.address) in who.suppressed)


@given(people, channels)
def test_it_stops_what_is_critical_by_suppression_only(who: Person, channel: str) -> None:
    for decision in decide(who, channel, SECURITY):
        assert (
            decision.allowed or decision.reason == "no_address" or decision.reason.startswith("suppressed:")
        )


@given(people, channels, rules)
def test_it_says_one_thing_of_each_address(who: Person, channel: str, rule: CategoryRule) -> None:
    decisions = decide(who, channel, rule)
    assert tuple(decision.address for decision in decisions) == (who.addresses.get(channel) or ("",))
    assert all(decision.reason and decision.channel == channel for decision in decisions)


@given(people, channels, rules)
def test_it_is_deterministic(who: Person, channel: str, rule: CategoryRule) -> None:
    assert decide(who, channel, rule) == decide(who, channel, rule)
