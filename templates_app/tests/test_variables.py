from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from templates_app.catalog import PublishedTemplate
from templates_app.inference import inferred
from templates_app.schemas import FORMATS, faults
from templates_app.tests.test_schemas import ORDER
from templates_app.variables import Checker, errors, misfits
from tenants.ids import new_id

ORDERED = {"id": "A-17", "total": 12.5, "placed": "2026-05-04T08:00:00Z"}
DATA = {"name": "Ann", "order": ORDERED}


def a_template(schema: Mapping[str, Any] | None, *names: str) -> PublishedTemplate:
    id = UUID(int=0)
    return PublishedTemplate(id, "order", new_id(), 1, "transactional", (), names, schema, frozenset({"sms"}))


def told(schema: Mapping[str, Any], data: Mapping[str, Any], *names: str) -> list[tuple[str, str]]:
    return [(error.pointer, error.code) for error in errors(a_template(schema, *names), data)]


def test_it_works() -> None:
    assert told(ORDER, DATA, "name", "order") == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"order": {**ORDERED, "total": "12"}}, [("/data/order/total", "invalid_variable")]),
        ({"order": {**ORDERED, "total": 0}}, [("/data/order/total", "invalid_variable")]),
        ({"order": {**ORDERED, "id": "17"}}, [("/data/order/id", "invalid_variable")]),
        ({"order": {**ORDERED, "placed": "monday"}}, [("/data/order/placed", "invalid_variable")]),
        ({"order": {**ORDERED, "currency": "DEM"}}, [("/data/order/currency", "invalid_variable")]),
        ({"order": {"id": "A-1"}}, [("/data/order/total", "missing_variable")]),
        (
            {"order": {**ORDERED, "lines": [{"sku": 1}, {}]}},
            [("/data/order/lines/1/sku", "missing_variable")],
        ),
        ({"or/der~": 1}, [("/data/or~1der~0", "unknown_variable")]),
        ({"name": ""}, [("/data/name", "invalid_variable")]),
        ({"order": None}, [("/data/order", "invalid_variable")]),
    ],
)
def test_it_points_at_what_is_wrong(data: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(ORDER, {**DATA, **data}) == expected


def test_what_both_miss_is_told_once() -> None:
    assert told(ORDER, {"name": "Ann"}, "name", "order") == [("/data/order", "missing_variable")]


def test_without_a_schema_only_names_are_asked_for() -> None:
    (error,) = errors(a_template(None, "name", "order"), {"order": "anything"})
    assert (error.pointer, error.code) == ("/data/name", "missing_variable")


def test_it_quotes_nothing_that_it_was_given() -> None:
    secret = "+15005550006"
    data = {**DATA, "name": {secret: secret}, "order": {**ORDERED, "total": secret}}
    assert secret not in str(list(errors(a_template(ORDER), data)))


def test_what_python_gives_is_judged_as_it_is_stored() -> None:
    when = dt.datetime(2026, 5, 4, 8, tzinfo=dt.UTC)
    order = {**ORDERED, "placed": when}
    assert told(ORDER, {**DATA, "order": order}) == []
    assert told({"properties": {"order": {"type": "string"}}}, {"order": when}) == []
    assert told({"properties": {"id": {"type": "number"}}}, {"id": new_id()}) == [
        ("/data/id", "invalid_variable")
    ]


@pytest.mark.parametrize("known", FORMATS)
@pytest.mark.parametrize(
    "text", ["a" * 100_000, "1" * 100_000, "a@" + "a." * 50_000, "%41" * 33_000, "P" + "1D" * 50_000]
)
def test_no_format_takes_long(known: str, text: str) -> None:
    checker, begun = Checker({"properties": {"a": {"format": known}}}), time.thread_time()
    checker.errors({"a": text})
    assert time.thread_time() - begun < 0.2


def test_no_pattern_takes_long() -> None:
    checker, begun = Checker({"properties": {"a": {"pattern": "^(a+)+$"}}}), time.thread_time()
    assert checker.errors({"a": "a" * 100_000 + "b"})
    assert time.thread_time() - begun < 0.2


def test_data_have_a_size_where_there_is_a_schema() -> None:
    assert told(ORDER, {**DATA, "name": "x" * 140_000}) == [("/data", "data_too_large")]


def test_of_long_data_the_first_error_is_told() -> None:
    schema = {"properties": {"n": {"items": {"type": "string"}}}}
    assert len(told(schema, {"n": list(range(20))})) == 20
    assert len(told(schema, {"n": list(range(5_000))})) == 1


def test_what_is_let_pass_does_not_take_long() -> None:
    """As many questions of as many values as there may be."""
    schema = {"properties": {"n": {"items": {"anyOf": [{"const": f"x{n}"} for n in range(195)]}}}}
    assert faults(schema) == []
    begun = time.thread_time()
    assert Checker(schema).errors({"n": ["x194"] * 16_000}) == []
    assert time.thread_time() - begun < 2


def test_a_schema_that_takes_too_long_rests_and_is_asked_again() -> None:
    seconds = iter([0.0, 1.0, 2.0, 3.0, 63.0, 64.0])
    checker = Checker({"required": ["n"]}, too_long=0, clock=lambda: next(seconds))
    assert [error.code for error in checker.errors({})] == ["missing_variable"]
    assert [error.code for error in checker.errors({"n": 1})] == ["schema_too_expensive"]
    assert checker.errors({"n": 1}) == []


def test_sample_data_are_judged_like_any() -> None:
    (error,) = misfits({"required": ["name"]}, {})
    assert (error.pointer, error.code) == ("/sample_data/name", "missing_variable")


def test_a_schema_is_inferred() -> None:
    sample = {
        "name": "Ann",
        "vip": True,
        "order": {"id": 17, "note": None, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "gift": True}]},
        "mixed": [1, "a"],
        "grid": [[1], [2]],
        "none": [],
    }
    found = inferred(["name", "order", "perk"], sample)
    line = {"sku": {"type": "string"}, "n": {"type": "number"}, "gift": {"type": "boolean"}}
    assert found["required"] == ["name", "order", "perk"]
    assert found["properties"] == {
        "name": {"type": "string"},
        "vip": {"type": "boolean"},
        "order": {
            "type": "object",
            "properties": {
                "id": {"type": "number"},
                "note": {},
                "lines": {"type": "array", "items": {"type": "object", "properties": line}},
            },
        },
        "mixed": {"type": "array", "items": {}},
        "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "none": {"type": "array", "items": {}},
        "perk": {},
    }
    assert (faults(found), misfits(found, {**sample, "perk": 1})) == ([], [])


def test_of_a_large_sample_less_is_inferred() -> None:
    found = inferred(["rows"], {"rows": {f"row-{n}": {"a": {"b": 1}} for n in range(100)}})
    assert faults(found) == []
    assert found["properties"]["rows"]["type"] == "object"
    assert faults(inferred([f"name{n}" for n in range(5_000)], {})) == []
