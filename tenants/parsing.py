"""From bytes to validated models: JSON by orjson, shapes by pydantic, every refusal with a pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from rest_framework.parsers import BaseParser

from tenants.problems import FieldError, Problem, invalid

# JSON cannot hold a raw control character, so only an escape can bring one in.
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00(?:[01][0-9a-fA-F]|7[fF])|[bf])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class RequestModel(BaseModel):
    """The root of every body model: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


class OrjsonParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parse_json(stream.read())


def parse_json(raw: bytes) -> Any:
    """The document, or a problem: not JSON, or with control characters that no channel can carry."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "not_json", f"The body is not JSON: {error}.") from None
    if _CONTROL_ESCAPE.search(raw):
        refuse_control_characters(document)
    return document


def refuse_control_characters(document: Any) -> None:
    errors = [
        FieldError(
            pointer,
            "control_character",
            "Control characters other than tab and line breaks are refused.",
        )
        for pointer, text in _strings(document, "")
        if _CONTROL.search(text)
    ]
    if errors:
        raise invalid(errors)


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


def escape(token: object) -> str:
    """A JSON pointer's reference token (RFC 6901, section 3)."""
    return str(token).replace("~", "~0").replace("/", "~1")


def validate(model: type[Model], document: Any) -> Model:
    """The document as `model`, or a 400 problem with a pointer for each error."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(field_errors(error)) from None


def field_errors(error: ValidationError, prefix: str = "") -> list[FieldError]:
    return [
        FieldError(
            pointer=prefix + "".join(f"/{escape(part)}" for part in item["loc"]),
            code="unknown_field" if item["type"] == "extra_forbidden" else item["type"],
            detail=item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors(
            include_url=False, include_context=False, include_input=False
        )
    ]
