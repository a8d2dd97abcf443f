"""The plan for one notification, as a table: no database."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.models import NotificationStatus
from notifications.plans import Chain, House, Wording, decide
from preferences.channels import CHANNELS
from preferences.rules import CategoryRule, Circumstances, Person, QuietHours, Window
from preferences.rules.presence import AWAY, UNKNOWN, Presence

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
AT = Circumstances(NOW)
RULE = CategoryRule("transactional", False, "resend")
ADDRESSES = {
    "email": ("ann@example.com",),
    "sms": ("+15005550006",),
    "push": ("token-1", "token-2"),
    "in_app": ("id",),
}


def ann(**over: Any) -> Person:
    fields = {
        "id": uuid4(),
        "external_id": "ann",
        "type": "user",
        "addresses": ADDRESSES,
        "locale": "en",
        "timezone": "UTC",
        "channels": {},
        "categories": {},
        "suppressed": {},
    }
    return Person(**{**fields, **over})


def test_it_works() -> None:
    plan = decide(["in_app", "email", ["sms", "email"]], ann(), RULE, AT)
    assert plan.status is NotificationStatus.PROCESSING
    assert [leg.routes for leg in plan.legs] == [
        [("in_app", "id")],
        [("email", "ann@example.com")],
        [("sms", "+15005550006"), ("email", "ann@example.com")],
    ]


EMAIL_OFF = {"channels": {"email": False}}
BOUNCED = {"suppressed": {("email", "ann@example.com"): "bounced"}}
NO_PHONE = {"addresses": {"email": ("ann@example.com",)}}


@pytest.mark.parametrize(
    ("channels", "over", "legs", "status", "reason"),
    [
        (["push"], {}, [[("push", "token-1")], [("push", "token-2")]], "processing", ""),
        (
            [["push", "sms"]],
            {},
            [[("push", "token-1"), ("push", "token-2"), ("sms", "+15005550006")]],
            "processing",
            "",
        ),
        (["email"], EMAIL_OFF, [], "suppressed", "channel_off"),
        (["email"], BOUNCED, [], "suppressed", "suppressed:bounced"),
        ([["email", "sms"]], BOUNCED, [[("sms", "+15005550006")]], "processing", ""),
        (["sms"], NO_PHONE, [], "failed", "no_address"),
        (["sms", "email"], {**NO_PHONE, **EMAIL_OFF}, [], "suppressed", "channel_off"),
        ([["sms", "slack"]], NO_PHONE, [], "failed", "no_address"),
        (["sms", "email"], NO_PHONE, [[("email", "ann@example.com")]], "processing", ""),
    ],
)
def test_it_routes(channels: Any, over: dict[str, Any], legs: Any, status: str, reason: str) -> None:
    plan = decide(channels, ann(**over), RULE, AT)
    assert ([leg.routes for leg in plan.legs], plan.status, plan.reason) == (legs, status, reason)


SMS, EMAIL, PUSH = ("sms", "+15005550006"), ("email", "ann@example.com"), ("push", "token-1")
FALLBACK: dict[str, Any] = {"sms": ["sms", "email"], "email": {"chain": ["email", "sms"], "within": 60}}
HOUSE = House(fallback=FALLBACK)


@pytest.mark.parametrize(
    ("channels", "legs"),
    [
        (["sms"], [Chain([SMS, EMAIL])]),
        ([["sms"]], [Chain([SMS])]),  # a list, even of one, is taken as it is
        (["email"], [Chain([EMAIL, SMS], 60)]),
        ([["email", "sms"]], [Chain([EMAIL, SMS])]),
        (["in_app"], [Chain([("in_app", "id")])]),
        ([{"chain": ["sms", "email"], "within": 600}], [Chain([SMS, EMAIL], 600)]),
    ],
)
def test_it_falls_back_as_the_tenant_says(channels: Any, legs: list[Chain]) -> None:
    assert decide(channels, ann(), RULE, AT, house=HOUSE).legs == legs


def test_it_says_that_the_tenant_said_so() -> None:
    step = decide(["sms"], ann(), RULE, AT, house=HOUSE).trace[0]
    assert (step["decision"], step["reason"]) == ("sms → email", "tenant_fallback")


@pytest.mark.parametrize(
    ("channels", "content", "legs", "reason"),
    [
        ([["whatsapp", "sms", "email"]], {"sms", "email"}, [Chain([SMS, EMAIL])], ""),
        (["sms"], {"email"}, [Chain([EMAIL])], ""),  # the fallback's second
        (["push"], {"email"}, [], "no_content"),
        (["push", "slack"], {"slack"}, [], "no_address"),
    ],
)
def test_it_skips_routes_without_content(
    channels: Any, content: set[str], legs: list[Chain], reason: str
) -> None:
    plan = decide(channels, ann(), RULE, AT, house=HOUSE, wording=Wording(channels=content))
    assert (plan.legs, plan.reason) == (legs, reason)
    skipped = {step["channel"] for step in plan.trace if step["reason"] == "no_content"}
    assert skipped
    assert not skipped & content


@pytest.mark.parametrize(
    ("channels", "expected"),
    [([["push", "sms"]], 1), ([["sms", "push"]], 1), (["push"], 0), ([["email", "sms"]], 0)],
)
def test_it_says_that_devices_ring_together(channels: Any, expected: int) -> None:
    trace = decide(channels, ann(), RULE, AT).trace
    assert sum(step["decision"] == "ring_together" for step in trace) == expected


@pytest.mark.parametrize(
    ("person", "rule", "expires_at", "status", "reason"),
    [
        (None, RULE, None, "failed", "recipient_unknown"),
        (ann(), None, None, "failed", "category_unknown"),
        (ann(), RULE, NOW, "expired", "expired"),
        (None, None, NOW - dt.timedelta(days=1), "expired", "expired"),
    ],
)
def test_it_ends_what_cannot_be_planned(
    person: Person | None, rule: CategoryRule | None, expires_at: dt.datetime | None, status: str, reason: str
) -> None:
    plan = decide(["email"], person, rule, Circumstances(NOW, deadline=expires_at))
    assert (plan.legs, plan.status, plan.reason) == ([], status, reason)
    assert plan.trace[0]["reason"] == reason


_entry = st.sampled_from(CHANNELS) | st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3)


@given(
    channels=st.lists(_entry, min_size=1, max_size=5),
    off=st.sets(st.sampled_from(CHANNELS)),
    critical=st.booleans(),
)
def test_it_never_drops_in_silence(channels: Any, off: set[str], critical: bool) -> None:
    person = ann(channels=dict.fromkeys(off, False))
    plan = decide(channels, person, CategoryRule("c", critical, "resend"), AT)
    assert all(step["reason"] for step in plan.trace)
    assert (plan.status is NotificationStatus.PROCESSING) == bool(plan.legs)
    assert bool(plan.reason) != bool(plan.legs)
    assert all(leg.routes for leg in plan.legs)
    if not critical:
        assert not {channel for leg in plan.legs for channel, _ in leg.routes} & off


ONLINE = Presence(2, dt.datetime(2026, 11, 21, 11, tzinfo=dt.UTC))
PHONE = {"addresses": {**ADDRESSES, "push": ("token-1",)}}
IN_APP = ("in_app", "id")
IF_OFFLINE = {"channel": "push", "if": "offline"}
IF_ONLINE = {"channel": "in_app", "if": "online"}


@pytest.mark.parametrize(
    ("channels", "presence", "legs", "said"),
    [
        ([IF_OFFLINE], AWAY, [[PUSH]], ["deliver recipient_offline"]),
        ([IF_OFFLINE], ONLINE, [], ["skip recipient_online"]),
        ([IF_OFFLINE], UNKNOWN, [[PUSH]], ["deliver presence_unknown"]),
        ([IF_ONLINE], UNKNOWN, [], ["skip presence_unknown"]),
        ([[IF_ONLINE, "push"]], ONLINE, [[IN_APP, PUSH]], ["deliver recipient_online", "deliver allowed"]),
        ([[IF_ONLINE, "push"]], AWAY, [[PUSH]], ["skip recipient_offline", "deliver allowed"]),
        # What stands behind a channel that is used is asked when its turn comes.
        ([["sms", IF_OFFLINE]], ONLINE, [[SMS, PUSH]], ["deliver allowed", "deliver if_offline"]),
        ([["slack", IF_OFFLINE]], ONLINE, [], ["skip no_address", "skip recipient_online"]),
        # The tenant's chain for a channel that is named alone is all under its condition.
        ([{"channel": "sms", "if": "offline"}], ONLINE, [], ["sms", *["skip recipient_online"] * 2]),
        (
            [{"channel": "sms", "if": "offline"}],
            AWAY,
            [[SMS, EMAIL]],
            ["sms", "deliver recipient_offline", "deliver if_offline"],
        ),
        ([[{"channel": "sms", "if": "offline"}]], AWAY, [[SMS]], ["deliver recipient_offline"]),
    ],
)
def test_it_heeds_where_the_recipient_is(
    channels: Any, presence: Presence, legs: Any, said: list[str]
) -> None:
    plan = decide(channels, ann(**PHONE), RULE, AT, house=HOUSE, presence=presence)
    assert [leg.routes for leg in plan.legs] == legs
    words = [
        "sms" if step["reason"] == "tenant_fallback" else f"{step['decision']} {step['reason']}"
        for step in plan.trace
    ]
    assert words == said
    assert {step.get("since") for step in plan.trace if step["reason"] == "recipient_online"} <= {
        "2026-11-21T11:00:00Z"
    }
    if not legs:
        assert plan.status is NotificationStatus.SUPPRESSED


def test_what_is_held_is_asked_when_it_may_go() -> None:
    night = QuietHours((Window(0, 23 * 60),))
    plan = decide([IF_OFFLINE], ann(**PHONE, quiet_hours=night), RULE, AT, presence=ONLINE)
    assert [(leg.routes, leg.conditions) for leg in plan.legs] == [([PUSH], {"push": "offline"})]
    assert plan.is_held
