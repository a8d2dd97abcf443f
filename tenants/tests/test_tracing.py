import re

import pytest
from django.test import Client

from tenants.tracing import continue_trace, correlated, traceparent

pytestmark = pytest.mark.urls("tenants.tests.views")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_it_works() -> None:
    answer = Client(headers={"traceparent": GIVEN, "X-Request-ID": "order-17"}).get("/api/correlation")

    seen = answer.json()
    assert seen["request_id"] == answer["X-Request-ID"] == "order-17"
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", seen["traceparent"])
    assert PARENT not in seen["traceparent"]


def test_it_makes_a_request_id_where_none_is_given() -> None:
    first, second = (Client().get("/api/correlation") for _ in range(2))

    assert re.fullmatch(UUID, first["X-Request-ID"])
    assert first["X-Request-ID"] != second["X-Request-ID"]


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "é", "tab\there", "new\nline"])
def test_it_takes_no_malformed_request_id(given: str) -> None:
    assert re.fullmatch(UUID, Client(headers={"X-Request-ID": given}).get("/api/correlation")["X-Request-ID"])


@pytest.mark.parametrize("address", ["/only-get", "/nowhere", "/raise/defect", "/api/raise/database"])
def test_it_returns_the_request_id_with_every_answer(address: str) -> None:
    assert Client(headers={"X-Request-ID": "mine"}).get(address)["X-Request-ID"] == "mine"


def test_it_forgets_after_the_request() -> None:
    Client(headers={"traceparent": GIVEN}).get("/api/correlation")

    assert traceparent() == ""


def test_it_names_each_call_anew() -> None:
    with correlated("request", GIVEN):
        calls = {traceparent() for _ in range(10)}

    assert len(calls) == 10
    assert {call.split("-")[1] for call in calls} == {TRACE}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "rubbish",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\n",
    ],
)
def test_it_begins_a_trace_where_none_is_valid(given: str) -> None:
    trace = continue_trace(given)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace)
    assert TRACE not in trace


def test_it_continues_a_trace_of_a_later_version_in_ours() -> None:
    assert continue_trace(f"cc-{TRACE}-{PARENT}-01-what-the-future-brings") == GIVEN
