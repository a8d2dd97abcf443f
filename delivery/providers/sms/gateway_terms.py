"""The terms in which somebody describes an HTTP gateway: templates, expressions, statuses, rules. Pure.

An expression looks something up in what the gateway says: a JMESPath (https://jmespath.org/specification.html)
in its JSON, or between slashes a regular expression in its text, whose first group it finds. RE2 takes linear
time whatever the expression (https://github.com/google/re2/wiki/WhyRE2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from delivery.providers.base import ErrorKind, ProviderError

PLACES = ("to", "to_digits", "text", "sender", "reference", "receipt_url", "secret")
_PLACE = re.compile(r"\{([a-z_]+)\}")
_STATUSES = re.compile(r"(\d{3})(?:-(\d{3}))?|([1-5])xx")


def places(template: Any) -> Iterator[str]:
    """The names in braces, at whatever depth."""
    if isinstance(template, str):
        yield from _PLACE.findall(template)
    elif isinstance(template, dict):
        for value in template.values():
            yield from places(value)
    elif isinstance(template, list):
        for value in template:
            yield from places(value)


def filled(template: Any, values: Mapping[str, str], quote: Callable[[str], str] = str) -> Any:
    """The template with `values` in their places. What is filled in is never read again as a template."""
    if isinstance(template, str):
        return _PLACE.sub(lambda place: quote(values[place[1]]), template)
    if isinstance(template, dict):
        return {name: filled(value, values, quote) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values, quote) for value in template]
    return template


def known_places(template: Any) -> Any:
    if strange := [name for name in places(template) if name not in PLACES]:
        known = ", ".join(f"{{{name}}}" for name in PLACES)
        raise ValueError(f"{{{strange[0]}}} is no placeholder; there are {known}")
    return template


@dataclass(frozen=True, slots=True)
class Said:
    """What the gateway says: its words, and its document where they are one."""

    text: str
    document: Any = None

    @classmethod
    def of(cls, body: bytes) -> Said:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        return cls(body.decode("utf-8", "replace"), document)


@lru_cache(maxsize=512)
def _finder(expression: str) -> Callable[[Said], Any]:
    """Imported when first needed: 3 MB each, in every process. Raises ValueError."""
    if is_regex(expression):
        import re2  # noqa: PLC0415

        options = re2.Options()
        options.log_errors = False
        try:
            pattern = re2.compile(expression[1:-1], options)
        except re2.error as error:
            raise ValueError(f"{expression} is no regular expression: {_words(error)}") from None
        return lambda said: (found := pattern.search(said.text)) and found.group(min(pattern.groups, 1))
    import jmespath  # noqa: PLC0415

    try:
        path = jmespath.compile(expression)
    except ValueError:
        raise ValueError(f"{expression} is neither a JMESPath nor a /regular expression/") from None
    return lambda said: path.search(said.document)


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def is_regex(expression: str) -> bool:
    return len(expression) > 2 and expression[0] == expression[-1] == "/"


def find(expression: str, said: Said) -> Any:
    """What the expression finds, or None; also where it asks for what the document is not."""
    try:
        return _finder(expression)(said)
    except ValueError:  # jmespath.exceptions.JMESPathError: a function that is given another type
        return None


def find_text(expression: str, said: Said) -> str:
    """As a text, or empty where nothing of that kind is there."""
    found = find(expression, said) if expression else None
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def _compiles(expression: str) -> str:
    if expression:
        _finder(expression)
    return expression


Expression = Annotated[str, Field(max_length=1000), AfterValidator(_compiles)]


def in_statuses(statuses: str, status: int) -> bool:
    """Whether `200-299, 304, 5xx` has the status."""
    return any(first <= status <= last for first, last in _ranges(statuses))


@lru_cache(maxsize=256)
def _ranges(statuses: str) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in statuses.split(","):
        found = _STATUSES.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{part.strip()!r} is no status such as 200, 200-299 or 4xx")
        first, last, hundred = found.groups()
        ranges.append(
            (int(hundred) * 100, int(hundred) * 100 + 99) if hundred else (int(first), int(last or first))
        )
    return tuple(ranges)


def _are_statuses(statuses: str) -> str:
    if statuses:
        _ranges(statuses)
    return statuses


Statuses = Annotated[str, AfterValidator(_are_statuses)]


class ErrorRule(BaseModel):
    """What an answer with this status, or in which `matches` finds something, means. With both, both."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    status: Statuses = ""
    matches: Expression = ""
    kind: ErrorKind
    permanent: bool = False
    code: str = ""

    @model_validator(mode="after")
    def _means_something(self) -> ErrorRule:
        if not (self.status or self.matches):
            raise ValueError("a rule needs a status or something that it matches")
        if self.permanent and self.kind is not ErrorKind.ADDRESS:
            raise ValueError("only what is wrong with an address can be permanent")
        return self

    def fits(self, said: Said, status: int | None) -> bool:
        """`status` is None for a receipt, of which only rules without one speak."""
        if self.status and (status is None or not in_statuses(self.status, status)):
            return False
        return not self.matches or bool(find(self.matches, said))

    def error(self, code: str) -> ProviderError:
        """`code` is the gateway's own, which stands unless the rule has another name for it."""
        words = f"the gateway said {code}"
        return ProviderError(self.kind, words, code=self.code or code, permanent=self.permanent)
