from typing import Any

import pytest
import requests

from sandbox.faults import Fault, Faults
from sandbox.testing import RunningSandbox


def put(sandbox: RunningSandbox, body: Any, name: str = "twilio") -> requests.Response:
    return requests.put(f"{sandbox.http_url}/api/faults/{name}", json=body, timeout=5)


def listed(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    answer = requests.get(f"{sandbox.http_url}/api/faults", timeout=5)
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_it_works(sandbox: RunningSandbox) -> None:
    answer = put(sandbox, {"status": 503, "times": 2})
    assert (answer.status_code, answer.json()) == (200, {"name": "twilio", "status": 503, "times": 2})
    put(sandbox, {"latency_ms": 5}, "an account")
    assert [fault["name"] for fault in listed(sandbox)] == ["twilio", "an account"]
    assert requests.delete(f"{sandbox.http_url}/api/faults/twilio", timeout=5).status_code == 204
    assert listed(sandbox) == [{"name": "an account", "latency_ms": 5}]
    assert requests.delete(f"{sandbox.http_url}/api/faults", timeout=5).status_code == 204
    assert listed(sandbox) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"stauts": 503}, "/stauts"),
        ({"status": 200}, "/status"),
        ({"status": "bad"}, "/status"),
        ({"latency_ms": -1}, "/latency_ms"),
        ({"error_rate": 1.5}, "/error_rate"),
        ({"receipt": "lost"}, "/receipt"),
        ({"times": 0}, "/times"),
        ({"duplicate_receipts": 101}, "/duplicate_receipts"),
        ({"status": 503, "reject": True}, ""),
        ({"accept_then_timeout": True, "reject": True}, ""),
        ([], ""),
    ],
)
def test_it_refuses_what_it_does_not_know(sandbox: RunningSandbox, body: Any, pointer: str) -> None:
    answer = put(sandbox, body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_error"
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["detail"]
    assert listed(sandbox) == []


def test_it_refuses_what_is_not_json(sandbox: RunningSandbox) -> None:
    answer = requests.put(f"{sandbox.http_url}/api/faults/twilio", data="{", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_json")


def test_an_account_goes_before_its_provider() -> None:
    faults = Faults()
    faults.set("twilio", Fault(status=503))
    faults.set("AC1", Fault(status=429, times=1))
    statuses = [faults.take("AC1", "twilio").failure_status for _ in range(2)]
    assert statuses == [429, 503]


def test_times_counts_down_to_well() -> None:
    faults = Faults()
    faults.set("twilio", Fault(reject=True, times=2))
    assert [faults.take("AC1", "twilio").reject for _ in range(3)] == [True, True, False]
    assert faults.all() == {}


def test_error_rate_strikes_its_share_and_spares_the_rest_of_the_failure_only() -> None:
    faults = Faults()
    faults.set("twilio", Fault(error_rate=0.3, status=500, latency_ms=7))
    taken = [faults.take("AC1", "twilio") for _ in range(2000)]
    assert {fault.latency_ms for fault in taken} == {7}
    assert 400 < sum(fault.failure_status == 500 for fault in taken) < 800


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(), None),
        (Fault(error_rate=0.5), 503),
        (Fault(error_rate=0.5, status=429), 429),
        (Fault(error_rate=0.5, reject=True), None),
        (Fault(error_rate=0.5, accept_then_timeout=True), None),
        (Fault(error_rate=0.5).spared(), None),
    ],
)
def test_it_knows_how_to_fail(fault: Fault, status: int | None) -> None:
    assert fault.failure_status == status
