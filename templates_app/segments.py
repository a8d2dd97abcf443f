"""What becomes of a text message's words when it goes out: how they are spelled, how many parts they fill.

Pure. Here so that previews, `explain` and dispatch say the same, whichever vendor carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from templates_app import gsm
from templates_app.gsm import Encoding
from templates_app.overrides import said
from templates_app.workshop import RenderError, Words
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class SmsPolicy:
    """Whether to spell in GSM-7 what would need UCS-2, and how many parts a message may have."""

    transliterate: bool = False
    max_segments: int = 10

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        return cls(tenant.sms_transliterate, tenant.sms_max_segments)

    def under(self, overrides: Mapping[str, Any]) -> SmsPolicy:
        """With what the message says for itself (`SmsOverrides`)."""
        return SmsPolicy(
            overrides.get("transliterate", self.transliterate),
            overrides.get("max_segments", self.max_segments),
        )


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text message is charged as: `parts` SMS. Of more than `limit` parts it is not sent."""

    encoding: Encoding
    parts: int
    characters: int
    limit: int

    @property
    def is_too_long(self) -> bool:
        return self.parts > self.limit

    @property
    def encoding_name(self) -> str:
        return {Encoding.GSM_7: "GSM-7", Encoding.UCS_2: "UCS-2"}[self.encoding]


class TooLongError(RenderError):
    """It has more parts than it may."""

    def __init__(self, segments: Segments) -> None:
        words = f"It has {segments.parts} parts in {segments.encoding_name}; {segments.limit} are allowed."
        super().__init__("too_long", words, "body")
        self.segments = segments


def spelled(text: str, policy: SmsPolicy) -> str:
    return gsm.transliterate(text) if policy.transliterate else text


def measured(text: str, policy: SmsPolicy) -> Segments:
    encoding = gsm.encoding_of(text)
    return Segments(encoding, gsm.count(text, encoding), len(text), policy.max_segments)


def fitted(text: str, policy: SmsPolicy) -> str | TooLongError:
    """The text as it goes out."""
    text = spelled(text, policy)
    segments = measured(text, policy)
    return TooLongError(segments) if segments.is_too_long else text


def as_sent(channel: str, words: Words, policy: SmsPolicy) -> tuple[Words, Segments | None]:
    """A preview: a text message as it is spelled and measured, which is shown though it be too long."""
    if channel != "sms":
        return words, None
    own = policy.under(said("sms", words.overrides))
    text = spelled(words.body, own)
    return words._replace(body=text), measured(text, own)
