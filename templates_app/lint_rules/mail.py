"""A mail: what mail programs, spam filters and laws ask of it. HTML is looked at as it goes out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from templates_app.findings import Finding, Setting, Wording
from templates_app.lint_rules import html
from templates_app.lint_rules.html import Markup
from templates_app.workshop import Words

SUBJECT = 78
"""Characters of a header's line that programs should keep to (RFC 5322, section 2.1.1)."""
CLIPPED = 102 << 10
"""Bytes of HTML after which Gmail hides the rest."""
_SHORT = 10
"""Letters up to which capitals are no shouting but an abbreviation or a code, as SpamAssassin has it."""

SERVICE_CATEGORIES = {"transactional", "system", "alert"}
"""What tells people of their own affairs: they need no way out of it (16 CFR 316.3, "transactional")."""

_WAY_OUT = re.compile(
    r"unsubscri|opt[-_ ]?out|preferences|abmeld|abbestell|austrag|d[ée]sabonn|d[ée]sinscri|cancelar|"
    r"darse de baja|disiscri|annulla iscri|afmeld|uitschrijv|wypisz|avregistrer|avsluta pren",
    re.IGNORECASE,
)


def check(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    yield from _subject(wording, words.subject)
    found = html.read(words.html)
    if words.html:
        yield from _html(wording, words, found)
    if _needs_way_out(setting) and not _has_way_out(found, words):
        says = "Nothing in it lets people stop these mails: a link to unsubscribe is asked for."
        yield wording.finding("unsubscribe_missing", says, "html" if words.html else "body")


def _subject(wording: Wording, subject: str) -> Iterator[Finding]:
    letters = [c for c in subject if c.isalpha()]
    if not subject.strip():
        yield wording.finding("subject_empty", "The subject is empty.", "subject")
    if len(subject) > SUBJECT:
        says = f"{len(subject)} characters; most programs cut it off before {SUBJECT}."
        yield wording.finding("subject_long", says, "subject")
    if len(letters) > _SHORT and subject.upper() == subject != subject.lower():
        yield wording.finding("subject_shouting", "All of it is in capitals, as in spam.", "subject")


def _html(wording: Wording, words: Words, found: Markup) -> Iterator[Finding]:
    size = len(words.html.encode())
    if size > CLIPPED:
        says = f"{size / 1024:.0f} KB; Gmail hides what comes after {CLIPPED >> 10} KB."
        yield wording.finding("html_clipped", says, "html")
    if "body" not in wording.draft.sources:
        yield wording.finding("text_derived", "No text part: it is made of the HTML.", "html")
    if not found.preheader:
        says = "No preheader: inboxes show the first words beside the subject."
        yield wording.finding("preheader_missing", says, "html")
    if not found.declares_colors:
        says = "It says nothing of dark mode: with a color-scheme of its own no program guesses its colours."
        yield wording.finding("dark_mode_undeclared", says, "html")
    yield from _images(wording, found)


def _images(wording: Wording, found: Markup) -> Iterator[Finding]:
    for image in found.images:
        line, name = wording.line_of("html", image.src), image.src.rpartition("/")[2][:60] or "An image"
        if image.alt is None:
            says = f"{name} has no alt: nobody knows what it shows where images are not."
            yield wording.finding("image_without_alt", says, "html", line)
        if not image.width:
            says = f"{name} has no width: Outlook goes by the attribute, and not by the style."
            yield wording.finding("image_without_width", says, "html", line)


def _needs_way_out(setting: Setting) -> bool:
    return setting.category not in SERVICE_CATEGORIES


def _has_way_out(found: Markup, words: Words) -> bool:
    if any(_WAY_OUT.search(f"{link.href} {link.words}") for link in found.links):
        return True
    return not words.html and bool(_WAY_OUT.search(words.body)) and "://" in words.body
