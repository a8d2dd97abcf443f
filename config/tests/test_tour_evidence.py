"""What the tour calls missing."""

import dataclasses
import datetime as dt
from typing import Any

import pytest

from config.tour.evidence import Arrival, Expected, Found, has_ended, missing

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
EXPECTED = Expected(ends={"email": "sent"}, attempts=("sms twilio-* address", "email smtp sent"))
AT = ("2026-05-04T12:00:00.100000Z", "2026-05-04T12:00:00.200000Z")


def attempt(channel: str, account: str, outcome: str, at: str) -> dict[str, Any]:
    return {"channel": channel, "account": account, "outcome": outcome, "code": "", "ms": 5, "at": at}


def found(**over: Any) -> Found:
    """An SMS that went on to email; `over` are members of its answer, of its delivery, `arrivals`.

    Or `became`: its status, when it has no delivery.
    """
    answer = {"id": "n1", "status": "accepted", "created_at": NOON.isoformat(), "send_at": None}
    attempts = [
        attempt("sms", "twilio-main", "address", AT[0]),
        attempt("email", "smtp", "sent", AT[1]),
    ]
    delivery = {"channel": "email", "status": "sent", "reason": "", "detail": "", "attempts": attempts}
    trace = [
        {"step": "attempt", "at": at, "channel": channel, "reason": why}
        for at, channel, why in zip(AT, ("sms", "email"), ("next route", "handed over"), strict=True)
    ]
    return Found(
        accepted=answer | {name: over[name] for name in answer.keys() & over.keys()},
        detail={
            "status": over.get("became", "sent"),
            "trace": trace,
            "deliveries": [] if "became" in over else [delivery | over.get("delivery", {})],
        },
        arrivals=over.get("arrivals", [arrival()]),
    )


def arrival(channel: str = "email", seconds: float = 0.3) -> Arrival:
    return Arrival(channel, "lee@demo.example", "Hello", NOON + dt.timedelta(seconds=seconds))


def test_it_works() -> None:
    assert list(missing(EXPECTED, found())) == []
    assert has_ended(EXPECTED, found())
    assert [(str(each), each.then) for each in found().attempts] == [
        ("sms twilio-main address", "next route"),
        ("email smtp sent", "handed over"),
    ]


@pytest.mark.parametrize(
    ("over", "line"),
    [
        ({"arrivals": []}, "email: arrived 0 times, not once"),
        ({"arrivals": [arrival(), arrival()]}, "email: arrived 2 times, not once"),
        ({"arrivals": [arrival(), arrival("sms")]}, "sms: arrived 1 times, not expected at all"),
        ({"delivery": {"status": "queued"}}, "email: its delivery is queued, not sent"),
        (
            {"delivery": {"status": "failed", "reason": "address_refused", "detail": "550: no such user"}},
            "email: its delivery is failed, not sent (address_refused: 550: no such user)",
        ),
        ({"status": "scheduled"}, "the answer to the request said scheduled, not accepted"),
        ({"send_at": "2026-05-04T12:00:00.400Z"}, "email: arrived -0.100 s from its time"),
        ({"send_at": "2026-05-04T11:59:57Z"}, "email: arrived +3.300 s from its time"),
        (
            {"delivery": {"attempts": [attempt("email", "smtp", "sent", AT[1])]}},
            "attempts: email smtp sent; expected: sms twilio-* address, email smtp sent",
        ),
    ],
)
def test_it_names_what_is_not_as_it_should_be(over: dict[str, Any], line: str) -> None:
    assert list(missing(EXPECTED, found(**over))) == [line]


def test_it_misses_a_delivery_that_is_not_there() -> None:
    expected = dataclasses.replace(EXPECTED, ends={"email": "sent", "in_app": "delivered"})
    assert "in_app: no delivery" in list(missing(expected, found()))


def test_it_tells_why_there_is_no_delivery() -> None:
    refused = {
        "step": "plan",
        "at": AT[0],
        "channel": "in_app",
        "decision": "suppressed",
        "reason": "opted_out",
    }
    seen = found()
    seen.detail["trace"].append(refused)
    expected = dataclasses.replace(EXPECTED, ends={"email": "sent", "in_app": "delivered"})
    assert "in_app: no delivery (suppressed: opted_out)" in list(missing(expected, seen))


def test_it_takes_what_is_on_time() -> None:
    expected = dataclasses.replace(EXPECTED, accepted="scheduled")
    on_time = found(status="scheduled", send_at="2026-05-04T12:00:00.299Z")
    assert list(missing(expected, on_time)) == []


@pytest.mark.parametrize(
    ("over", "ended"),
    [
        ({"arrivals": []}, False),
        ({"delivery": {"status": "queued"}}, False),
        ({"delivery": {"status": "failed"}, "arrivals": []}, True),
        ({"delivery": {"status": "suppressed"}, "arrivals": []}, True),
        ({"became": "accepted", "arrivals": []}, False),
        ({"became": "suppressed", "arrivals": []}, True),
    ],
)
def test_it_waits_as_long_as_anything_may_come(over: dict[str, Any], ended: bool) -> None:
    assert has_ended(EXPECTED, found(**over)) is ended


def test_it_does_not_wait_for_a_channel_that_was_not_planned() -> None:
    expected = dataclasses.replace(EXPECTED, ends={"email": "sent", "in_app": "delivered"})
    assert has_ended(expected, found())
