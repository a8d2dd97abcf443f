import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.phones import LONGEST, calling_code, e164


def test_it_works() -> None:
    assert e164("(500) 555-0006", "US") == "+15005550006"


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("+15005550006", "DE", "+15005550006"),
        ("+1 500 555 0006", "DE", "+15005550006"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("+44 (0)20 7183 8750", "US", "+442071838750"),
        ("06 1234 5678", "IT", "+390612345678"),  # an Italian zero is part of the number
        ("+4915123456789", "US", "+4915123456789"),
        ("0049 1512 3456789", "DE", "+4915123456789"),
        ("+80012345678", "US", "+80012345678"),  # a calling code that is no country's
        ("+78005553535", "US", "+78005553535"),
    ],
)
def test_it_spells_numbers_as_e164(number: str, country: str, expected: str) -> None:
    assert e164(number, country) == expected


@pytest.mark.parametrize(
    "number",
    [
        *("", "+", "+0", "+1", "12345", "not a number", "5550006", "+999123456789", "+015005550006"),
        *(
            "+150055500061",
            "+1500555",
            "+1 500 555 0006 ext. 7",
            "+" + "1" * 40,
            "+15005550006\n+15005550001x",
        ),
        "+491234567890123456",
    ],
)
def test_it_refuses_what_is_no_number(number: str) -> None:
    assert e164(number, "US") is None


def _by_the_library(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    possible = (
        phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    )
    spelled = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return spelled if possible and len(spelled) <= LONGEST else None


codes = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


@given(codes, st.text("0123456789", min_size=1, max_size=14))
def test_it_agrees_with_the_library_on_every_plan(code: int, national: str) -> None:
    number = f"+{code}{national}"
    assert e164(number, "US") == _by_the_library(number)


@given(st.text(max_size=20))
def test_it_gives_e164_or_nothing(number: str) -> None:
    spelled = e164(number, "US")
    assert spelled is None or (spelled[0] == "+" and spelled[1:].isdecimal() and len(spelled) <= LONGEST)


@given(codes)
def test_it_finds_the_calling_code(code: int) -> None:
    assert calling_code(f"+{code}5550006") == str(code)
