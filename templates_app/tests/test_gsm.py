# ruff: noqa: RUF001 - ambiguous characters are the subject
import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.gsm import (
    JOINED,
    Encoding,
    decode,
    encode,
    encoding_of,
    length,
    split,
    transliterate,
)

GSM, UCS = Encoding.GSM_7, Encoding.UCS_2


def test_it_works() -> None:
    assert encoding_of("Hello, Åse: 5 €") is GSM
    assert encode("Å€", GSM) == b"\x0e\x1be"
    assert split("Hello", GSM) == ["Hello"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", GSM),
        ("@£$¥ \r\n\f{}", GSM),
        ("Ç", GSM),
        ("ç", UCS),
        ("’", UCS),
        ("\x1b", UCS),
        ("日", UCS),
        ("😀", UCS),
    ],
)
def test_it_knows_the_alphabet(text: str, encoding: Encoding) -> None:
    """3GPP TS 23.038, section 6.2.1"""
    assert encoding_of(text) is encoding


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("€" * 80, [80]),
        ("€" * 81, [76, 5]),
        ("a" + "€" * 80, [77, 4]),
        ("я" * 70, [70]),
        ("я" * 71, [67, 4]),
        ("😀" * 35, [35]),
        ("😀" * 36, [33, 3]),
    ],
)
def test_it_splits_as_phones_do(text: str, parts: list[int]) -> None:
    assert [len(part) for part in split(text, encoding_of(text))] == parts


@given(st.text(max_size=400))
def test_the_parts_are_the_text_and_fit(text: str) -> None:
    encoding = encoding_of(text)
    parts = split(text, encoding)
    assert "".join(parts) == text
    assert len(parts) == 1 or all(length(part, encoding) <= JOINED[encoding] for part in parts)
    assert "".join(decode(encode(part, encoding), encoding) for part in parts) == text


@given(st.binary(max_size=20), st.sampled_from(Encoding))
def test_it_reads_whatever_strangers_send(octets: bytes, encoding: Encoding) -> None:
    assert isinstance(decode(octets, encoding), str)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“It’s here” – 5 % off…", '"It\'s here" - 5 % off...'),
        ("Dzień dobry, Łukasz œuvre", "Dzien dobry, Lukasz oeuvre"),
        ("e\u0301 stays é, c\u0327 becomes c", "é stays é, c becomes c"),
        ("No.\u00a01\u2009234\u200b ½", "No. 1 234 1/2"),
        ("‘Hi’ 😀", "‘Hi’ 😀"),
        ("Привет’", "Привет’"),
        ("Größe [1]", "Größe [1]"),
        ("5 ‰ ’", "5 ‰ ’"),
        ("5 ₽ ’", "5 ₽ ’"),
        ("`a´", "'a'"),
    ],
)
def test_it_transliterates_what_has_a_likeness(text: str, plain: str) -> None:
    assert transliterate(text) == plain


@given(st.text(max_size=100))
def test_transliteration_helps_or_leaves_alone(text: str) -> None:
    plain = transliterate(text)
    assert plain == text or encoding_of(plain) is GSM
