"""What a careful colleague would say of a draft before it goes out. Pure: no database, no engine, no network.

A finding names its channel, locale, part and line, its weight, and the page that asks for it
(`templates_app.findings`). Only what can be defended is here: no taste, no guesses at what people like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from pydantic import ValidationError

from templates_app.findings import Finding, Setting, Severity, Wording
from templates_app.lint_rules import coverage, lengths, links, mail, names
from templates_app.overrides import checked
from templates_app.workshop import RenderError, Words

__all__ = ["Finding", "Setting", "Severity", "Wording", "blocking", "lint"]

Rule = Callable[[Wording, Words, Setting], Iterator[Finding]]

_RULES: Mapping[str, tuple[Rule, ...]] = {
    "email": (mail.check, links.check),
    "sms": (lengths.sms, links.check),
    "push": (lengths.push, links.check),
    "whatsapp": (lengths.whatsapp, links.check),
    "slack": (lengths.slack, links.check),
    "discord": (lengths.discord, links.check),
}
_ELSEWHERE: tuple[Rule, ...] = (links.check,)
_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def lint(wordings: Sequence[Wording], setting: Setting) -> list[Finding]:
    """Everything there is to say, the heaviest first, then as the contents stand."""
    found = [finding for wording in wordings for finding in _of_one(wording, setting)]
    found += coverage.missing(wordings, setting)
    found += names.unused(wordings, setting)
    found += names.unfit(setting)
    return sorted(found, key=lambda finding: _WEIGHT[finding.severity])


def blocking(findings: Sequence[Finding]) -> list[Finding]:
    """Those that keep a version from being published."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _of_one(wording: Wording, setting: Setting) -> Iterator[Finding]:
    words = wording.words
    if isinstance(words, RenderError):
        yield _of_error(wording, words)
        return
    yield from names.unknown(wording, setting)
    yield from _spoiled_overrides(wording, words)
    for rule in _RULES.get(wording.draft.channel, _ELSEWHERE):
        yield from rule(wording, words, setting)


def _of_error(wording: Wording, error: RenderError) -> Finding:
    place = (wording.index, *wording.place, error.part or "", error.line)
    return Finding(error.code, Severity.ERROR, error.message, *place)


def _spoiled_overrides(wording: Wording, words: Words) -> Iterator[Finding]:
    """The engine sees to it that it is JSON; whether the channel can have it is seen here."""
    try:
        checked(wording.draft.channel, orjson.loads(words.overrides or "{}"))
    except ValidationError as error:
        first = error.errors()[0]
        says = f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
        yield Finding("invalid_overrides", Severity.ERROR, says, wording.index, *wording.place, "overrides")
