from typing import Any

import pytest
from django.test import Client, override_settings

from tenants.problems import Problem
from tenants.tests.factories import api, create_api_key, create_tenant
from tenants.tests.outages import database_away

pytestmark = pytest.mark.urls("tenants.tests.views")


def get(address: str) -> Any:
    return Client(raise_request_exception=False).get(address)


def test_it_works() -> None:
    answer = get("/api/raise/problem")

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:carillon:problem:impossible",
        "title": "Impossible",
        "status": 422,
        "detail": "It cannot be.",
        "code": "impossible",
        "errors": [],
        "request_id": answer["X-Request-ID"],
    }


@pytest.mark.parametrize("place", ["/api/raise/", "/raise/"])
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("problem", 422, "impossible"),
        ("denied", 403, "permission_denied"),
        ("missing", 404, "not_found"),
        ("parse", 400, "malformed_body"),
        ("throttled", 429, "rate_limited"),
        ("database", 503, "unavailable"),
        ("valkey", 503, "unavailable"),
        ("defect", 500, "internal_error"),
    ],
)
def test_it_knows_each_exception_inside_and_outside_drf(
    place: str, name: str, status: int, code: str
) -> None:
    answer = get(place + name)

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert b"secret" not in answer.content


def test_it_says_when_to_try_again() -> None:
    assert get("/api/raise/database")["Retry-After"] == "1"
    assert get("/api/raise/throttled")["Retry-After"] == "3"


def test_it_logs_a_defect_and_leaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = get("/raise/defect")

    (record,) = [record for record in caplog.records if record.name == "tenants.middleware"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert answer.json()["detail"] == "Something went wrong on our side."


@override_settings(DEBUG=True)
def test_it_leaks_nothing_while_debugging_either() -> None:
    assert b"ZeroDivisionError" not in get("/api/raise/defect").content


def test_it_answers_404_for_an_address_that_is_not_there() -> None:
    answer = get("/api/v1/nowhere")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_answers_405_outside_drf() -> None:
    answer = Client().post("/only-get")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET"


def test_it_answers_405_inside_drf() -> None:
    answer = Client().put("/api/raise/problem")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]


def test_it_answers_406_for_a_format_that_is_not_ours() -> None:
    answer = Client(headers={"Accept": "application/xml"}).get("/api/raise/problem")

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_it_answers_400_for_a_host_that_is_not_ours() -> None:
    answer = Client(headers={"Host": "evil.example"}).get("/only-get")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert b"evil.example" not in answer.content


def test_it_keeps_pages_for_people() -> None:
    answer = get("/admin/raise/missing")

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_it_translates_the_errors_of_serializers() -> None:
    answer = Client().post("/api/raise/problem", {"items": [{"a/b": 1}, {"a/b": "x"}]}, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/items/1/a~1b", "invalid")
    ]


@pytest.mark.django_db(transaction=True)
def test_it_answers_503_while_the_database_is_away() -> None:
    client = api(create_api_key(create_tenant()))

    with database_away():
        answer = client.get("/api/whoami")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_it_is_an_exception_that_says_its_detail() -> None:
    assert str(Problem(409, "conflict", "Already there.")) == "Already there."
