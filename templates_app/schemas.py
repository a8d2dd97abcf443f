"""What a version may ask of its data: JSON Schema, draft 2020-12, less what could harm others.

A schema is written by a tenant and applied to each of its notifications, in the web process that serves all.
So it is bounded: in bytes, in what it unfolds to, in its patterns. It refers to nothing but its own `$defs`,
and never to itself; what it says of texts is matched in linear time. https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tenants.parsing import load_json
from tenants.problems import FieldError, Problem, escape

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BYTES = 32 << 10
WEIGHT = 200  # subschemas, counted once for each place that refers to them: what one value may cost
REFERENCES_DEEP = 16
PATTERNS = 16  # each takes up to `PATTERN_BYTES` when it is compiled
PATTERN_BYTES = 256 << 10
CHOICES = 500  # values of an `enum`

FORMATS = (
    *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "ipv4", "ipv6"),
    *("uri", "uri-reference", "iri", "iri-reference", "uuid", "json-pointer"),
)
"""Those that are asserted. Not the standard's `regex`: the data would be compiled."""

_ONE = {"additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else"}
_SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_PLAIN = {
    *("type", "enum", "const", "required", "dependentRequired", "format", "pattern", "multipleOf"),
    *("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength"),
    *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties"),
    *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"),
}
_AT_ROOT = {"$schema", "$defs"}
# Each level of them evaluates again what stands below: sixteen levels take a second.
_EXPENSIVE = {"unevaluatedProperties", "unevaluatedItems"}
_REFERENCE = "#/$defs/"

Schema = Mapping[str, Any]


class InvalidSchemaError(Exception):
    """A version's schema is none, or its sample data do not fit it. Pointers are into the version."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors


def refuse_unsound(schema: Any) -> None:
    """Raises InvalidSchemaError."""
    if errors := faults(schema):
        raise InvalidSchemaError(errors)


def faults(schema: Any) -> list[FieldError]:
    """What is wrong with a schema, with pointers that begin with `/schema`; none if it may be used."""
    if not isinstance(schema, dict):
        return [_fault("", "invalid_schema", "A schema is a JSON object.")]
    if oversize := _oversize(schema):
        return [oversize]
    return list(_Inspection(schema).faults()) or list(_miscompiled(schema))


def _oversize(schema: Schema) -> FieldError | None:
    try:
        raw = orjson.dumps(schema)
        load_json(raw)
    except (orjson.JSONEncodeError, Problem):
        return _fault("", "schema_too_large", "It is no JSON, or nested too deeply.")
    if len(raw) > BYTES:
        return _fault("", "schema_too_large", f"A schema has at most {BYTES >> 10} KB.")
    return None


class _RecursiveError(Exception):
    """Says which definition leads to itself."""


class _Inspection:
    """One walk over the keywords. What it lets through asks at most `WEIGHT` questions of a value."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._defs: Any = schema.get("$defs", {})
        self._patterns = 0
        self._weights: dict[str, int] = {}

    def faults(self) -> Iterator[FieldError]:
        if self._schema.get("$schema", DIALECT) != DIALECT:
            yield _fault("/$schema", "unknown_dialect", f"The dialect is {DIALECT}.")
        if self._schema.get("type", "object") != "object":
            yield _fault("/type", "invalid_schema", "The data of a notification are an object.")
        found = list(self._walk({k: v for k, v in self._schema.items() if k not in _AT_ROOT}, ""))
        found += [
            fault
            for name, one in (self._defs.items() if isinstance(self._defs, dict) else ())
            for fault in self._walk(one, f"/$defs/{escape(name)}")
        ]
        yield from found
        if self._patterns > PATTERNS:
            yield _fault("", "schema_too_large", f"A schema has at most {PATTERNS} patterns.")
        if not found:
            yield from self._too_heavy()

    def _walk(self, node: Any, place: str) -> Iterator[FieldError]:
        if not isinstance(node, dict):
            return  # a boolean; anything else is for the metaschema to refuse
        for keyword, value in node.items():
            yield from self._keyword(keyword, value, f"{place}/{escape(keyword)}")
        for inner, child in children(node):
            yield from self._walk(child, place + inner)

    def _keyword(self, keyword: str, value: Any, place: str) -> Iterator[FieldError]:
        match keyword:
            case "$ref":
                yield from self._reference(value, place)
            case "format" if value not in FORMATS:
                yield _fault(place, "unknown_format", f"The formats are {', '.join(FORMATS)}.")
            case "enum" if isinstance(value, list) and not _is_plain_choice(value):
                yield _fault(place, "schema_too_large", f"At most {CHOICES} values, no lists or objects.")
            case "pattern":
                self._patterns += 1
            case "patternProperties" if isinstance(value, dict):
                self._patterns += len(value)
            case _ if keyword in _EXPENSIVE:
                yield _fault(place, "unknown_keyword", f"{keyword} is not supported: it can cost too much.")
            case _ if keyword not in _ONE | _SEVERAL | _NAMED | _PLAIN:
                yield _fault(place, "unknown_keyword", f"There is no keyword {keyword!r} here.")

    def _reference(self, target: Any, place: str) -> Iterator[FieldError]:
        if not isinstance(target, str) or not target.startswith(_REFERENCE):
            yield _fault(place, "foreign_reference", "A $ref names one of the schema's own: #/$defs/name.")
        elif not isinstance(self._defs, dict) or _definition(target) not in self._defs:
            yield _fault(place, "unknown_reference", f"There is no {target}.")

    def _too_heavy(self) -> Iterator[FieldError]:
        try:
            weight = self._weight(self._schema, ())
        except _RecursiveError as error:
            yield _fault(
                f"/$defs/{escape(error)}", "recursive_reference", "It refers to itself, or too deeply."
            )
            return
        if weight > WEIGHT:
            yield _fault("", "schema_too_large", f"It unfolds to {weight} subschemas, of at most {WEIGHT}.")

    def _weight(self, node: Any, within: tuple[str, ...]) -> int:
        """How many subschemas it unfolds to. Raises _RecursiveError."""
        if not isinstance(node, dict):
            return 1
        below = sum(self._weight(child, within) for _, child in children(node))
        return 1 + below + (self._weight_of(_definition(node["$ref"]), within) if "$ref" in node else 0)

    def _weight_of(self, name: str, within: tuple[str, ...]) -> int:
        if name in within or len(within) == REFERENCES_DEEP:
            raise _RecursiveError(name)
        if name not in self._weights:
            self._weights[name] = self._weight(self._defs[name], (*within, name))
        return self._weights[name]


def children(node: Schema) -> Iterator[tuple[str, Any]]:
    """The subschemas of a schema, each with its pointer from there; `$defs` are none until referred to."""
    for keyword, value in node.items():
        place = f"/{escape(keyword)}"
        if keyword in _ONE:
            yield place, value
        elif keyword in _SEVERAL and isinstance(value, list):
            yield from ((f"{place}/{index}", child) for index, child in enumerate(value))
        elif keyword in _NAMED and isinstance(value, dict):
            yield from ((f"{place}/{escape(name)}", child) for name, child in value.items())


def _definition(reference: str) -> str:
    return reference.removeprefix(_REFERENCE).replace("~1", "/").replace("~0", "~")


def _is_plain_choice(values: list[Any]) -> bool:
    return len(values) <= CHOICES and not any(isinstance(value, dict | list) for value in values)


def _miscompiled(schema: Schema) -> Iterator[FieldError]:
    """What the standard's own schema of schemas says, and patterns that are none, or too large."""
    from templates_app.variables import compiled  # noqa: PLC0415  where the validator is

    try:
        compiled(schema)
    except ValueError as error:
        path = getattr(error, "instance_path", [])
        pointer = "".join(f"/{escape(part)}" for part in path)
        what = "pattern" if {"pattern", "patternProperties"} & set(map(str, path)) else "schema"
        yield _fault(pointer, f"invalid_{what}", _EXPLAINED[what])


_EXPLAINED = {
    "pattern": "This is no regular expression, not one that is matched in linear time (no lookaround, no "
    "backreference), or it is too large.",
    "schema": "This is not what JSON Schema takes here.",
}


def _fault(place: str, code: str, detail: str) -> FieldError:
    return FieldError(f"/schema{place}", code, detail)
