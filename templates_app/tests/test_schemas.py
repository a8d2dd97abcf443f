from __future__ import annotations

import time
from typing import Any

import pytest

from templates_app.schemas import CHOICES, FORMATS, PATTERNS, WEIGHT, faults

ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name", "order"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "order": {"$ref": "#/$defs/order"},
        "$ref": {"type": "string", "description": "A name like a keyword is a name."},
    },
    "additionalProperties": False,
    "$defs": {
        "order": {
            "type": "object",
            "required": ["id", "total"],
            "properties": {
                "id": {"type": "string", "pattern": "^A-[0-9]+$"},
                "total": {"type": "number", "exclusiveMinimum": 0},
                "placed": {"type": "string", "format": "date-time"},
                "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}, "maxItems": 50},
                "currency": {"enum": ["EUR", "USD", None]},
            },
        }
    },
}


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(depth):
        node = {"allOf": [node]}
    return node


def chained(length: int, *, twice: bool = False) -> dict[str, Any]:
    """Definitions that each refer to the next; doubly, as in the billion laughs."""
    links = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * (2 if twice else 1)} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{length}": {}}}


def test_it_works() -> None:
    assert faults(ORDER) == []
    assert faults({}) == []


HOSTILE = {
    "not an object": ([], "", "invalid_schema"),
    "a boolean": (True, "", "invalid_schema"),
    "data that are no object": ({"type": "array"}, "/type", "invalid_schema"),
    "an older dialect": (
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        "/$schema",
        "unknown_dialect",
    ),
    "a type that is none": ({"properties": {"a": {"type": "text"}}}, "/properties/a/type", "invalid_schema"),
    "a keyword that is none": ({"requird": ["a"]}, "/requird", "unknown_keyword"),
    "a keyword deep down": ({"allOf": [{"not": {"$id": "x"}}]}, "/allOf/0/not/$id", "unknown_keyword"),
    "an unknown format": (
        {"properties": {"a": {"format": "moon"}}},
        "/properties/a/format",
        "unknown_format",
    ),
    "a format that compiles the data": ({"format": "regex"}, "/format", "unknown_format"),
    "a remote reference": ({"$ref": "http://127.0.0.1:1/x"}, "/$ref", "foreign_reference"),
    "a file": ({"$ref": "file:///etc/passwd"}, "/$ref", "foreign_reference"),
    "itself": ({"properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref", "foreign_reference"),
    "a dynamic reference": ({"$dynamicRef": "#a"}, "/$dynamicRef", "unknown_keyword"),
    "nothing": ({"$ref": "#/$defs/a"}, "/$ref", "unknown_reference"),
    "nothing, within": ({"$ref": "#/$defs/a/b", "$defs": {"a": {}}}, "/$ref", "unknown_reference"),
    "a number as reference": ({"$ref": 1}, "/$ref", "foreign_reference"),
    "a loop": (
        {
            "$ref": "#/$defs/a~1b",
            "$defs": {"a/b": {"items": {"$ref": "#/$defs/c"}}, "c": {"$ref": "#/$defs/a~1b"}},
        },
        "/$defs/a~1b",
        "recursive_reference",
    ),
    "a long chain": (chained(100), "/$defs/d16", "recursive_reference"),
    "laughs": (chained(15, twice=True), "", "schema_too_large"),
    "more than it may unfold to": (
        {"properties": {f"p{n}": {} for n in range(WEIGHT)}},
        "",
        "schema_too_large",
    ),
    "many bytes": ({"description": "x" * 40_000}, "", "schema_too_large"),
    "many levels": (nested(70), "", "schema_too_large"),
    "more levels than JSON is written in": (nested(2_000), "", "schema_too_large"),
    "many patterns": (
        {"patternProperties": {f"^{n}$": {} for n in range(PATTERNS + 1)}},
        "",
        "schema_too_large",
    ),
    "many choices": ({"enum": list(range(CHOICES + 1))}, "/enum", "schema_too_large"),
    "choices that are dear to compare": ({"enum": [{"a": 1}]}, "/enum", "schema_too_large"),
    "what evaluates all again": (
        {"unevaluatedProperties": False},
        "/unevaluatedProperties",
        "unknown_keyword",
    ),
    "a pattern that is none": (
        {"properties": {"a/b": {"pattern": "("}}},
        "/properties/a~1b/pattern",
        "invalid_pattern",
    ),
    "a pattern that looks ahead": ({"pattern": "(?=a)b"}, "/pattern", "invalid_pattern"),
    "a pattern that looks back": ({"pattern": r"(a)\1"}, "/pattern", "invalid_pattern"),
    "a pattern that takes memory": ({"pattern": r"\p{L}{500}"}, "/pattern", "invalid_pattern"),
}


@pytest.mark.parametrize(("schema", "place", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_it_refuses(schema: Any, place: str, code: str) -> None:
    begun = time.thread_time()
    found = faults(schema)
    assert (found[0].pointer, found[0].code) == (f"/schema{place}", code)
    assert time.thread_time() - begun < 1


def test_it_tells_all_at_once() -> None:
    schema = {"properties": {"a": {"format": "moon"}, "b": {"$ref": "http://x"}}, "foo": 1}
    assert {error.code for error in faults(schema)} == {
        "unknown_format",
        "foreign_reference",
        "unknown_keyword",
    }


@pytest.mark.parametrize("known", FORMATS)
def test_it_knows_its_formats(known: str) -> None:
    assert faults({"properties": {"a": {"format": known}}}) == []
