"""What is wrong with a wording and which names it needs from the data: it is compiled and rendered to see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from pydantic import ValidationError

from templates_app.overrides import checked
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.ids import new_id


@dataclass(frozen=True, slots=True)
class Draft:
    """The words for one channel in one locale, not yet stored. `sources`: part → MiniJinja source.

    `format` is the HTML part's: html, markdown or mjml. `layout` is a code, empty for the default, or "none".
    """

    channel: str
    locale: str
    sources: Mapping[str, str]
    format: str = "html"
    layout: str = ""


@dataclass(frozen=True, slots=True)
class ContentError:
    """`index` counts the contents; `part` is subject, title, body, html or overrides; `line` counts from 1.

    `code`: template_error, template_too_expensive, missing_variable or invalid_overrides.
    """

    index: int
    channel: str
    locale: str
    part: str | None
    line: int | None
    code: str
    message: str

    @property
    def pointer(self) -> str:
        return f"/contents/{self.index}" + (f"/{self.part}" if self.part else "")

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{self.channel} {self.locale} {self.part or ''}".strip() + f", {where}{self.message}"


class InvalidTemplateError(Exception):
    def __init__(self, errors: Sequence[ContentError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = list(errors)


@dataclass(frozen=True, slots=True)
class Findings:
    variables: list[str]
    errors: list[ContentError]


def inspect(drafts: Sequence[Draft], sample_data: Mapping[str, Any]) -> Findings:
    """Compile every part and render it with the sample data."""
    needed: set[str] = set()
    errors = []
    for index, draft in enumerate(drafts):
        try:
            needed |= _needed(draft, sample_data)
            _try(draft, sample_data)
        except RenderError as error:
            place = (index, draft.channel, draft.locale, error.part, error.line)
            errors.append(ContentError(*place, error.code, error.message))
    return Findings(sorted(needed), errors)


def _try(draft: Draft, data: Mapping[str, Any]) -> None:
    (answer,) = workshop.render([_job(draft, data)])
    if isinstance(answer, RenderError):
        raise answer if answer.part else _located(draft, data, answer)
    if answer.overrides:
        _check_overrides(draft.channel, answer.overrides)


def _check_overrides(channel: str, document: str) -> None:
    try:
        checked(channel, orjson.loads(document))
    except ValidationError as error:
        (first, *_) = error.errors()
        place = ".".join(map(str, first["loc"]))
        raise RenderError("invalid_overrides", f"{place}: {first['msg']}.", "overrides") from None


def _located(draft: Draft, data: Mapping[str, Any], error: RenderError) -> RenderError:
    """The error with its part, when the engine died before it could say which."""
    alone = [replace(draft, sources={part: source}) for part, source in draft.sources.items()]
    answers = workshop.render([_job(one, data) for one in alone])
    for part, answer in zip(draft.sources, answers, strict=True):
        if isinstance(answer, RenderError):
            return RenderError(answer.code, answer.message, part, answer.line)
    return error


def _needed(draft: Draft, sample_data: Mapping[str, Any]) -> set[str]:
    """The names that the data must hold: those used, less those whose absence the author provided for."""
    used = set(_variables(draft, sample_data))
    asked = sorted(used & set(_asked_for(draft)))
    without = [{key: value for key, value in sample_data.items() if key != name} for name in asked]
    answers = workshop.render([_job(draft, data) for data in without])
    optional = {name for name, answer in zip(asked, answers, strict=True) if isinstance(answer, Words)}
    return used - optional


def _variables(draft: Draft, sample_data: Mapping[str, Any]) -> list[str]:
    try:
        return workshop.variables(draft.sources)
    except RenderError as error:
        raise error if error.part else _located(draft, sample_data, error) from None


# `name is defined`, `name|default(…)`: the author thought of its absence. Whether everywhere, a render tells.
_ASKED_FOR = re.compile(r"\b([^\W\d]\w*)\s*(?:\|\s*(?:default|d)\b|is\s+(?:not\s+)?(?:un)?defined\b)")


def _asked_for(draft: Draft) -> Iterator[str]:
    for source in draft.sources.values():
        yield from _ASKED_FOR.findall(source)


def _job(draft: Draft, data: Mapping[str, Any]) -> Job:
    return Job(f"draft:{new_id()}", draft.sources, data)
