"""From bytes to validated models: JSON by orjson, shapes by pydantic, every refusal with a pointer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from tenants.problems import FieldError, Problem, escape, invalid

MAX_DEPTH = 64

# JSON may hold raw DEL, but no other control character (RFC 8259, section 7): those need an escape.
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00(?:[01][0-9a-fA-F]|7[fF])|[bf])|\x7f")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class RequestModel(BaseModel):
    """The root of every body model: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


class Patch(RootModel[dict[str, Any]]):
    """Some of a document, with null for what is to be taken away: what comes of it is checked, not this."""


def merge_patch(target: Any, patch: Any) -> Any:
    """The document after a JSON Merge Patch (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def parse_json(raw: bytes) -> Any:
    """The document, or a problem: not JSON, nested too deeply, with characters that no channel can carry."""
    document = load_json(raw)
    if may_hold_control_characters(raw) and (errors := control_errors(document)):
        raise invalid(errors)
    return document


def may_hold_control_characters(raw: bytes) -> bool:
    """Whether it is worth looking: one search over the bytes, where looking walks the whole document."""
    return _CONTROL_ESCAPE.search(raw) is not None


def load_json(raw: bytes) -> Any:
    """The document, or a problem: not JSON, or nested too deeply."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "not_json", f"The body is not JSON: {error}.") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_too_deep(document):
        raise Problem(400, "too_deep", f"The body is nested deeper than {MAX_DEPTH} levels.")
    return document


def _is_too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def _children(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def control_errors(document: Any) -> list[FieldError]:
    """An error for each text in the document that no channel can carry."""
    return [
        FieldError(
            pointer,
            "control_character",
            "Control characters other than tab and line breaks are refused.",
        )
        for pointer, text in _strings(document, "")
        if _CONTROL.search(text)
    ]


def _strings(node: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield pointer, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield pointer, key
            yield from _strings(value, f"{pointer}/{escape(key)}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _strings(value, f"{pointer}/{index}")


def validate(model: type[Model], document: Any) -> Model:
    """The document as `model`, or a 400 problem with a pointer for each error."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(field_errors(error, document=document)) from None


def field_errors(error: ValidationError, prefix: str = "", document: Any = None) -> list[FieldError]:
    """Pydantic's errors as ours. With the document, a pointer names only what is in it or is missing from it.

    Where a field takes one of several shapes, pydantic puts the name of the shape it tried into the location.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldError(
            pointer=prefix
            + "".join(f"/{escape(part)}" for part in _path(item["loc"], item["type"], document)),
            code="unknown_field" if item["type"] == "extra_forbidden" else item["type"],
            detail=item["msg"].removeprefix("Value error, "),
        )
        for item in details
    ]


def _path(location: tuple[int | str, ...], kind: str, document: Any) -> Iterator[int | str]:
    if document is None:
        yield from location
        return
    node = document
    for depth, part in enumerate(location, 1):
        if _holds(node, part):
            node = node[part]
            yield part
        elif kind == "missing" and depth == len(location):
            yield part


def _holds(node: Any, part: int | str) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node)
