"""What there is to say of a wording: each kind of finding with its weight, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from templates_app.inspection import Draft
from templates_app.segments import SmsPolicy
from templates_app.workshop import RenderError, Words


class Severity(StrEnum):
    """An error keeps a version from being published: it could not be sent. The others only tell."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """`index` counts the contents, `line` from 1; both are None where it is about more than one.

    `source` is the page that asks for it, empty where the house does.
    """

    code: str
    severity: Severity
    words: str
    index: int | None = None
    channel: str = ""
    locale: str = ""
    part: str = ""
    line: int | None = None
    source: str = ""

    @property
    def pointer(self) -> str:
        """Into `{"contents": […]}`."""
        place = "" if self.index is None else f"/contents/{self.index}"
        return place + (f"/{self.part}" if self.part else "")


_ALT = "https://www.w3.org/WAI/WCAG22/Understanding/non-text-content"
_BLOCKS = "https://docs.slack.dev/reference/block-kit/blocks"
_EMBEDS = "https://docs.discord.com/developers/resources/message#embed-object-embed-limits"
_FCM = "https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type"
_LOOKUP = "https://www.rfc-editor.org/rfc/rfc4647#section-3.4"
_META = "https://developers.facebook.com/documentation/business-messaging/whatsapp"
_SPAM = "https://opensource.apple.com/source/SpamAssassin/SpamAssassin-144.2/SpamAssassin/rules/20_head_tests.cf.auto.html"
_WEIGHED = "https://www.spamresource.com/2022/01/what-is-gmail-clipping-and-what-to-do.html"

# code → (severity, source). Errors are what could not be sent at all; nothing here is a matter of taste.
KINDS: Mapping[str, tuple[Severity, str]] = {
    "unknown_variable": (Severity.WARNING, ""),
    "unused_variable": (Severity.INFO, ""),
    "sample_data_unfit": (Severity.ERROR, "https://json-schema.org/draft/2020-12/json-schema-validation"),
    "missing_locale": (Severity.WARNING, _LOOKUP),
    "missing_default_locale": (Severity.WARNING, _LOOKUP),
    "sms_too_long": (Severity.ERROR, ""),
    "sms_not_gsm7": (Severity.INFO, "https://www.3gpp.org/dynareport/23038.htm"),
    "push_title_long": (Severity.WARNING, ""),
    "push_body_long": (Severity.WARNING, ""),
    "push_too_large": (Severity.ERROR, _FCM),
    "whatsapp_too_long": (Severity.ERROR, f"{_META}/messages/send-messages"),
    "whatsapp_template_long": (Severity.ERROR, f"{_META}/templates/overview"),
    "slack_text_long": (Severity.ERROR, _BLOCKS),
    "discord_too_long": (Severity.ERROR, _EMBEDS),
    "link_not_https": (Severity.WARNING, "https://www.w3.org/2001/tag/doc/web-https"),
    "link_empty": (Severity.WARNING, "https://www.w3.org/WAI/WCAG22/Understanding/link-purpose-in-context"),
    "image_without_alt": (Severity.WARNING, _ALT),
    "image_without_width": (Severity.INFO, "https://www.caniemail.com/features/css-width/"),
    "text_derived": (Severity.INFO, "https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4"),
    "unsubscribe_missing": (Severity.WARNING, "https://support.google.com/a/answer/81126"),
    "subject_empty": (Severity.WARNING, "https://www.rfc-editor.org/rfc/rfc5322#section-3.6.5"),
    "subject_long": (Severity.WARNING, "https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1"),
    "subject_shouting": (Severity.WARNING, _SPAM),
    "preheader_missing": (Severity.INFO, "https://docs.mapp.com/docs/customize-the-email-preheader"),
    "html_clipped": (Severity.WARNING, _WEIGHED),
    "dark_mode_undeclared": (Severity.INFO, "https://html-email-guide.vercel.app/guides/dark-mode"),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A content and what became of it: the words with the sample data, the names it takes from the data."""

    index: int
    draft: Draft
    words: Words | RenderError
    names: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[str, str]:
        return self.draft.channel, self.draft.locale

    def finding(self, code: str, words: str, part: str = "", line: int | None = None) -> Finding:
        severity, source = KINDS[code]
        return Finding(code, severity, words, self.index, *self.place, part, line, source)

    def line_of(self, part: str, text: str) -> int | None:
        """Where in the source of the part the text stands, counted from 1; None where data brought it."""
        source = self.draft.sources.get(part, "")
        at = source.find(text) if text else -1
        return None if at < 0 else source.count("\n", 0, at) + 1


@dataclass(frozen=True, slots=True)
class Setting:
    """What the wordings are written for. `locale` and `sms` are the tenant's.

    `declared` are the names that a schema of the data lists, None where there is no schema; `misfits` say, in
    words, where the sample data are not as it has them.
    """

    category: str
    locale: str
    sms: SmsPolicy
    sample_data: Mapping[str, Any]
    declared: frozenset[str] | None = None
    misfits: tuple[str, ...] = ()
