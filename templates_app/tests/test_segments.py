from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app import gsm
from templates_app.gsm import Encoding
from templates_app.segments import Segments, SmsPolicy, TooLongError, as_sent, fitted, measured
from templates_app.workshop import Words

PLAIN = SmsPolicy()


def test_it_works() -> None:
    assert fitted("Hello", PLAIN) == "Hello"
    assert measured("Hello", PLAIN) == Segments(Encoding.GSM_7, parts=1, characters=5, limit=10)


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("", "gsm7", 1),
        ("x" * 160, "gsm7", 1),
        ("x" * 161, "gsm7", 2),
        ("€" * 80, "gsm7", 1),
        ("€" * 81, "gsm7", 2),
        ("“" + "x" * 69, "ucs2", 1),
        ("“" + "x" * 70, "ucs2", 2),
        ("🔔" * 35, "ucs2", 1),
        ("🔔" * 36, "ucs2", 2),
    ],
)
def test_it_measures(text: str, encoding: str, parts: int) -> None:
    segments = measured(text, PLAIN)
    assert (segments.encoding, segments.parts, segments.characters) == (encoding, parts, len(text))


@given(st.text(max_size=500), st.sampled_from(Encoding))
def test_it_counts_the_parts_that_are_made(text: str, encoding: Encoding) -> None:
    assert gsm.count(text, encoding) == len(gsm.split(text, encoding))


@pytest.mark.parametrize(
    ("policy", "overrides", "said"),
    [
        (PLAIN, {}, "“Hi”"),
        (PLAIN, {"transliterate": True}, '"Hi"'),
        (SmsPolicy(transliterate=True), {}, '"Hi"'),
        (SmsPolicy(transliterate=True), {"transliterate": False}, "“Hi”"),
    ],
)
def test_the_message_decides_before_the_tenant(
    policy: SmsPolicy, overrides: dict[str, Any], said: str
) -> None:
    assert fitted("“Hi”", policy.under(overrides)) == said


def test_it_refuses_more_parts_than_are_allowed() -> None:
    error = fitted("x" * 307, SmsPolicy(max_segments=2))
    assert isinstance(error, TooLongError)
    assert (error.code, error.message) == ("too_long", "It has 3 parts in GSM-7; 2 are allowed.")
    assert error.segments.parts == 3
    assert fitted("x" * 307, SmsPolicy(max_segments=2).under({"max_segments": 3})) == "x" * 307


def test_it_is_measured_as_it_is_spelled() -> None:
    text = "“" + "x" * 100
    assert isinstance(fitted(text, SmsPolicy(max_segments=1)), TooLongError)
    assert fitted(text, SmsPolicy(transliterate=True, max_segments=1)) == '"' + "x" * 100


def test_a_preview_is_shown_though_it_be_too_long() -> None:
    words = Words(body="x" * 161, overrides='{"max_segments": 1}')
    shown, segments = as_sent("sms", words, PLAIN)
    assert shown.body == "x" * 161
    assert segments is not None
    assert segments.is_too_long


def test_only_text_messages_are_measured() -> None:
    assert as_sent("email", Words(body="“Hi”"), SmsPolicy(transliterate=True)) == (Words(body="“Hi”"), None)


@pytest.mark.parametrize("overrides", ["{", '{"transliterate": "perhaps"}', "[]"])
def test_overrides_that_are_none_say_nothing_in_a_preview(overrides: str) -> None:
    shown, _ = as_sent("sms", Words(body="“Hi”", overrides=overrides), PLAIN)
    assert shown.body == "“Hi”"
