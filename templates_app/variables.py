"""Whether the data of a notification are what its version asks for. Asked of every notification accepted.

jsonschema-rs takes 0.9 µs for an order with its lines, where fastjsonschema takes 11, and knows no draft
2020-12, and jsonschema 290. It is loaded when a version has a schema: 8 MB that others can do without.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from templates_app.catalog import PublishedTemplate, missing_variables
from templates_app.schemas import PATTERN_BYTES, Schema
from tenants.problems import FieldError, escape

if TYPE_CHECKING:
    import jsonschema_rs

logger = logging.getLogger(__name__)

DATA_BYTES = 128 << 10
_SHORT = 4 << 10  # bytes of data of which every error is told; of longer ones the first
TOO_LONG = 0.25  # CPU seconds for one notification
_REST = 60.0  # seconds
_KEPT = 64  # compiled schemas, the latest used

Data = Mapping[str, Any]


def errors(template: PublishedTemplate, data: Data) -> Iterator[FieldError]:
    """What is wrong with the data for a version: names that are missing, values that do not fit its schema.

    Pointers begin with `/data`. Codes: missing_variable, invalid_variable, unknown_variable, data_too_large,
    schema_too_expensive.
    """
    missing = {f"/{escape(name)}": name for name in missing_variables(template, data)}
    for pointer, name in missing.items():
        yield FieldError(f"/data{pointer}", "missing_variable", f"Template {template.code!r} needs {name!r}.")
    if template.schema is None:
        return
    for error in _checkers.of(template.version_id, template.schema).errors(data):
        if error.pointer not in missing:
            yield FieldError(f"/data{error.pointer}", error.code, error.detail)


def misfits(schema: Schema, sample_data: Data) -> list[FieldError]:
    """What is wrong with a version's own sample data; pointers begin with `/sample_data`."""
    return [
        FieldError(f"/sample_data{error.pointer}", error.code, error.detail)
        for error in Checker(schema).errors(sample_data)
    ]


def compiled(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """It fetches nothing, never backtracks and quotes no value. Raises ValueError when the schema is none."""
    import jsonschema_rs  # noqa: PLC0415  8 MB

    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        validate_formats=True,
        ignore_unknown_formats=False,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES),
        mask="The value",
        offline=True,
    )


class Checker:
    """A schema, compiled. When it takes too long over a notification it rests, and refuses what it is asked.

    `schemas` bounds what a value may cost, `DATA_BYTES` how many there are; this is for what both let pass.
    """

    def __init__(
        self, schema: Schema, *, too_long: float = TOO_LONG, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._validator = compiled(schema)
        self._too_long, self._clock = too_long, clock
        self._rests_until = clock()

    def errors(self, data: Data) -> list[FieldError]:
        """What is wrong with the data; pointers are into them."""
        if self._clock() < self._rests_until:
            detail = "The template's schema took too long over such data; it is asked again in a minute."
            return [FieldError("", "schema_too_expensive", detail)]
        raw = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
        if len(raw) > DATA_BYTES:
            return [FieldError("", "data_too_large", f"The data have more than {DATA_BYTES >> 10} KB.")]
        begun = time.thread_time()
        found = self._found(data, raw)
        if time.thread_time() - begun > self._too_long:
            logger.warning("a template's schema takes too long and rests")
            self._rests_until = self._clock() + _REST
        return found

    def _found(self, data: Data, raw: bytes) -> list[FieldError]:
        with contextlib.suppress(ValueError):  # Python's own types, such as dates
            if self._validator.is_valid(data):
                return []
        return [error for told in self._told(raw) for error in _errors(told)]

    def _told(self, raw: bytes) -> Sequence[jsonschema_rs.ValidationError]:
        """Of the data as they will be stored."""
        import jsonschema_rs  # noqa: PLC0415  as above

        data = orjson.loads(raw)
        if len(raw) <= _SHORT:
            return list(self._validator.iter_errors(data))
        try:
            self._validator.validate(data)
        except jsonschema_rs.ValidationError as error:
            return [error]
        return []


def _errors(error: jsonschema_rs.ValidationError) -> Iterator[FieldError]:
    place = "".join(f"/{escape(part)}" for part in error.instance_path)
    match error.kind.name, error.kind.as_dict():
        case "required", {"property": name}:
            yield FieldError(f"{place}/{escape(name)}", "missing_variable", f"{name!r} is missing.")
        case "additionalProperties", {"unexpected": names}:
            for name in names:
                yield FieldError(f"{place}/{escape(name)}", "unknown_variable", f"{name!r} is not expected.")
        case _:
            yield FieldError(place, "invalid_variable", f"{error.message}.")


class Checkers:
    """The compiled schemas used last, by version. A published version never changes, nor does its schema."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[UUID, Checker] = OrderedDict()

    def of(self, version_id: UUID, schema: Schema) -> Checker:
        with self._lock:
            if (kept := self._kept.get(version_id)) is not None:
                self._kept.move_to_end(version_id)
                return kept
        checker = Checker(schema)
        with self._lock:
            self._kept[version_id] = checker
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return checker


_checkers = Checkers(_KEPT)
