"""A text as phones get it: alphabet, segments, and what would make it cheaper. Pure.

Alphabet: 3GPP TS 23.038, section 6.2.1 (the table is the `gsm0338` package's). Segments: 3GPP TS 23.040,
section 9.2.3.24.1, where a header of six octets leaves 153 septets or 134 octets of the 140.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Iterator
from enum import StrEnum

import gsm0338  # noqa: F401 - registers the codec
from anyascii import anyascii

_ESCAPE = b"\x1b"


class Encoding(StrEnum):
    """How a whole message is encoded: one character outside the alphabet takes all of it to UCS-2."""

    GSM_7 = "gsm7"
    UCS_2 = "ucs2"


SINGLE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
"""Units that one SMS holds: septets, or UTF-16 code units."""
JOINED = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}
"""Units in each part of a message of several."""


def _alphabet() -> Iterator[tuple[int, bytes]]:
    for lead in (b"", _ESCAPE):
        for octet in range(128):
            code = lead + bytes([octet])
            character = code.decode("gsm03.38", "ignore")
            if character and code != _ESCAPE:
                yield ord(character), code


_CODES = dict(_alphabet())
"""As `codecs.charmap_encode` takes it, which is C: ten times as fast as the package's own encoder."""
_EXTENDED = {chr(character) for character, code in _CODES.items() if len(code) > 1}


def encoding_of(text: str) -> Encoding:
    return Encoding.GSM_7 if all(ord(character) in _CODES for character in set(text)) else Encoding.UCS_2


def encode(text: str, encoding: Encoding) -> bytes:
    """The octets that SMPP carries: GSM septets one an octet, unpacked, or UTF-16 in network order.

    Phones read UTF-16, surrogates and all, where the standard says UCS-2. What cannot be encoded becomes `?`.
    """
    if encoding is Encoding.UCS_2:
        return text.encode("utf-16-be", "replace")
    return codecs.charmap_encode(text, "replace", _CODES)[0]


def decode(octets: bytes, encoding: Encoding) -> str:
    """What was meant, as well as it can be read: octets come from strangers."""
    if encoding is Encoding.UCS_2:
        return octets.decode("utf-16-be", "replace")
    return octets.decode("gsm03.38", "replace")


def length(text: str, encoding: Encoding) -> int:
    """Septets or UTF-16 code units: an extended character, and one beyond the BMP, counts as two."""
    return len(text) + sum(map(_is_double(encoding), text))


def split(text: str, encoding: Encoding) -> list[str]:
    """The parts that go out as an SMS each; never none. Neither an escape nor a surrogate pair is torn."""
    if length(text, encoding) <= SINGLE[encoding]:
        return [text]
    parts, start, used = [], 0, 0
    is_double = _is_double(encoding)
    for place, character in enumerate(text):
        width = 1 + is_double(character)
        if used + width > JOINED[encoding]:
            parts.append(text[start:place])
            start, used = place, 0
        used += width
    return [*parts, text[start:]]


def count(text: str, encoding: Encoding) -> int:
    """How many parts `split` makes."""
    return 1 if length(text, encoding) <= SINGLE[encoding] else len(split(text, encoding))


def _is_double(encoding: Encoding) -> Callable[[str], bool]:
    return _EXTENDED.__contains__ if encoding is Encoding.GSM_7 else "\uffff".__lt__


_ALIKE = {"`": "'"}
_KINDS = ("Cf", "Lm", "No", "P", "Sk", "Sm", "Z")
"""General categories whose characters have a likeness: punctuation, spaces, marks, superscripts."""
_UNLIKE = {"\u2030", "\u2031"}  # per mille and per ten thousand would become a per cent sign and noughts


def transliterate(text: str) -> str:
    """`text` in the GSM alphabet: curly quotes made straight, accents that it lacks taken off.

    Unchanged where one character has no likeness in it (an emoji, a currency, another script): the message
    needs UCS-2 then anyway, and to spoil the rest of it would save nothing. Other senders do the same:
    https://www.twilio.com/docs/messaging/services/smart-encoding-char-list
    """
    if encoding_of(text) is Encoding.GSM_7:
        return text
    plain = "".join(map(_plain, unicodedata.normalize("NFC", text)))
    return plain if encoding_of(plain) is Encoding.GSM_7 else text


def _plain(character: str) -> str:
    if ord(character) in _CODES or not _has_likeness(character):
        return character
    likeness = anyascii(character)
    return _ALIKE.get(likeness, likeness)


def _has_likeness(character: str) -> bool:
    if unicodedata.category(character).startswith(_KINDS):
        return character not in _UNLIKE
    return unicodedata.name(character, "").startswith("LATIN ")
