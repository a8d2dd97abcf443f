"""Locales: a recipient whose language is not there gets another's (`templates_app.locales`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from templates_app.findings import KINDS, Finding, Setting, Wording
from templates_app.locales import serves


def missing(wordings: Sequence[Wording], setting: Setting) -> Iterator[Finding]:
    """A channel that lacks the tenant's own locale, or one that another channel has."""
    spoken: dict[str, set[str]] = {}
    for wording in wordings:
        spoken.setdefault(wording.draft.channel, set()).add(wording.draft.locale)
    everywhere = set[str]().union(*spoken.values())
    for channel, locales in sorted(spoken.items()):
        if not serves(setting.locale, locales):
            says = f"{channel} has no words in {setting.locale}, the tenant's own locale."
            yield _finding("missing_default_locale", says, channel, setting.locale)
        for locale in sorted(everywhere - {setting.locale}):
            if not serves(locale, locales):
                says = f"{channel} has no words in {locale}, which another channel has."
                yield _finding("missing_locale", says, channel, locale)


def _finding(code: str, says: str, channel: str, locale: str) -> Finding:
    severity, source = KINDS[code]
    return Finding(code, severity, says, channel=channel, locale=locale, source=source)
