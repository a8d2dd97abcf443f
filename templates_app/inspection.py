"""What is wrong with a wording and which names it needs from the data: it is compiled and rendered to see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from templates_app.drafts import Draft
from templates_app.finishing import Finished, finish
from templates_app.kit import EMPTY, Kit
from templates_app.overrides import checked
from templates_app.reserved import LINKS, SAMPLES, with_links
from templates_app.workshop import Job, RenderError, Words, workshop
from tenants.ids import new_id

__all__ = ["ContentError", "Draft", "Findings", "InvalidTemplateError", "inspect"]


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
    """`finished` are the drafts as they are rendered, in order; complete where there are no errors."""

    variables: list[str]
    errors: list[ContentError]
    finished: list[Finished]


def inspect(drafts: Sequence[Draft], sample_data: Mapping[str, Any], kit: Kit = EMPTY) -> Findings:
    """Put every draft together, compile it and render it with the sample data."""
    needed: set[str] = set()
    errors, finished = [], []
    for index, draft in enumerate(drafts):
        try:
            _variables(draft.sources, sample_data)  # first: what is wrong in a part stands in a line of it
            made = finish(draft, kit)
            needed |= _needed(made.sources, sample_data)
            _try(draft, made, sample_data)
            finished.append(made)
        except RenderError as error:
            place = (index, draft.channel, draft.locale, error.part, error.line)
            errors.append(ContentError(*place, error.code, error.message))
    return Findings(sorted(needed), errors, finished)


def _try(draft: Draft, made: Finished, data: Mapping[str, Any]) -> None:
    jobs = [_job(sources, data, draft.locale) for sources in (made.sources, made.assembled)]
    answer, as_written = workshop.render(jobs)
    if isinstance(answer, RenderError):
        raise _as_the_author_has_it(answer, as_written, made, data)
    if answer.overrides:
        _check_overrides(draft.channel, answer.overrides)


def _as_the_author_has_it(
    error: RenderError, as_written: Words | RenderError, made: Finished, data: Mapping[str, Any]
) -> RenderError:
    """In a part and a line of the author's; what was compiled, or stands in a layout, has no such line."""
    if isinstance(as_written, RenderError):
        return as_written if as_written.part else _located(made.assembled, data, as_written)
    found = error if error.part else _located(made.sources, data, error)
    return RenderError(found.code, found.message, "html" if found.part in {"html", "text"} else found.part)


def _check_overrides(channel: str, document: str) -> None:
    try:
        checked(channel, orjson.loads(document))
    except ValidationError as error:
        (first, *_) = error.errors()
        place = ".".join(map(str, first["loc"]))
        raise RenderError("invalid_overrides", f"{place}: {first['msg']}.", "overrides") from None


def _located(sources: Mapping[str, str], data: Mapping[str, Any], error: RenderError) -> RenderError:
    """The error with its part, when the engine died before it could say which."""
    answers = workshop.render([_job({part: source}, data) for part, source in sources.items()])
    for part, answer in zip(sources, answers, strict=True):
        if isinstance(answer, RenderError):
            return RenderError(answer.code, answer.message, part, answer.line)
    return error


def _needed(sources: Mapping[str, str], sample_data: Mapping[str, Any]) -> set[str]:
    """The names that the data must hold: those used, less those whose absence the author provided for."""
    used = set(_variables(sources, sample_data))
    asked = sorted(used & set(_asked_for(sources)))
    without = [{key: value for key, value in sample_data.items() if key != name} for name in asked]
    answers = workshop.render([_job(sources, data) for data in without])
    optional = {name for name, answer in zip(asked, answers, strict=True) if isinstance(answer, Words)}
    return used - optional - {LINKS}


def _variables(sources: Mapping[str, str], sample_data: Mapping[str, Any]) -> list[str]:
    try:
        return workshop.variables(sources)
    except RenderError as error:
        raise error if error.part else _located(sources, sample_data, error) from None


# `name is defined`, `name|default(…)`: the author thought of its absence. Whether everywhere, a render tells.
_ASKED_FOR = re.compile(r"\b([^\W\d]\w*)\s*(?:\|\s*(?:default|d)\b|is\s+(?:not\s+)?(?:un)?defined\b)")


def _asked_for(sources: Mapping[str, str]) -> Iterator[str]:
    for source in sources.values():
        yield from _ASKED_FOR.findall(source)


def _job(sources: Mapping[str, str], data: Mapping[str, Any], locale: str = "en") -> Job:
    return Job(f"draft:{new_id()}", sources, with_links(data, SAMPLES), locale)
