"""What drafts would say, on which channel and in which locale, and what there is to say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from templates_app import gsm
from templates_app.findings import Finding, Setting, Wording
from templates_app.inspection import Draft
from templates_app.linting import lint
from templates_app.locales import best_locale
from templates_app.proofreading import Subject, setting, wordings
from templates_app.segments import Segments, as_sent
from templates_app.shapes import Shape, shape
from templates_app.workshop import RenderError, Words


@dataclass(frozen=True, slots=True)
class Preview:
    """The words on a channel in a locale, or why there are none; `findings` are about these alone.

    `segments` and `texts`, what each of the segments holds, are a text message's.
    """

    channel: str
    locale: str
    words: Words | None = None
    error: RenderError | None = None
    segments: Segments | None = None
    texts: tuple[str, ...] = ()
    shape: Shape = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """`general` are the findings about more than one content."""

    previews: list[Preview]
    general: list[Finding]

    @property
    def findings(self) -> Iterator[Finding]:
        yield from self.general
        for preview in self.previews:
            yield from preview.findings


def proof(subject: Subject) -> Proof:
    """Every draft with the data in it, in order. Nothing is stored."""
    made, judged_by = wordings(subject), setting(subject)
    found = lint(made, judged_by)
    return Proof(
        [_preview(wording, judged_by, found) for wording in made],
        [finding for finding in found if finding.index is None],
    )


def received(drafts: Sequence[Draft], *, locale: str, fallback_locale: str) -> list[Draft]:
    """Of each channel the draft that a recipient with that locale would get."""
    by_channel: dict[str, dict[str, Draft]] = {}
    for draft in drafts:
        by_channel.setdefault(draft.channel, {})[draft.locale] = draft
    best = {channel: best_locale(locale, fallback_locale, there) for channel, there in by_channel.items()}
    return [by_channel[channel][chosen] for channel, chosen in best.items() if chosen is not None]


def nothing(channel: str, locale: str) -> Preview:
    error = RenderError("template_missing_content", f"The template has nothing for {channel}.")
    return Preview(channel, locale, error=error)


def _preview(wording: Wording, judged_by: Setting, found: Sequence[Finding]) -> Preview:
    own = tuple(finding for finding in found if finding.index == wording.index)
    channel, locale = wording.place
    if isinstance(wording.words, RenderError):
        return Preview(channel, locale, error=wording.words, findings=own)
    words, segments = as_sent(channel, wording.words, judged_by.sms)
    texts = gsm.split(words.body, segments.encoding) if segments else ()
    return Preview(channel, locale, words, None, segments, tuple(texts), shape(channel, words), own)
