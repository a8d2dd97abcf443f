"""Phone numbers in E.164, the one spelling that every provider takes."""

import re
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, ValidationResult

LONGEST = 16  # the plus and fifteen digits: ITU-T E.164, section 6.1
_MAIN_REGION = {str(code): regions[0] for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()}


class _Plan(NamedTuple):
    """How a country numbers its phones."""

    lengths: frozenset[int]
    trunk_prefix: re.Pattern[str] | None


def e164(number: str, country: str) -> str | None:
    """`number` as `+15005550006`, or None when it is none; `country` (ISO 3166) is for one without `+`.

    A number passes when its country and length are possible. Whether it is in service is the provider's to
    say: numbering plans open ranges faster than any table is updated.
    """
    if _is_plain(number):
        return number
    try:
        parsed = phonenumbers.parse(number, country)
    except NumberParseException:
        return None
    if (
        parsed.extension
        or phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE
    ):
        return None
    spelled = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return spelled if len(spelled) <= LONGEST else None


def calling_code(number: str) -> str:
    """The country's part of an E.164 number, without the plus; empty when there is no such country."""
    return next((number[1:end] for end in (2, 3, 4) if _plan(number[1:end])), "")


def _is_plain(number: str) -> bool:
    """Whether the number is E.164 already, told without the parser, which takes twenty times as long.

    False means only that the parser has to look.
    """
    if not (len(number) <= LONGEST and number[:1] == "+" and number.isascii() and number[1:].isdigit()):
        return False
    code = calling_code(number)
    plan, national = _plan(code), number[1 + len(code) :]
    if plan is None or len(national) not in plan.lengths:
        return False
    return plan.trunk_prefix is None or not plan.trunk_prefix.match(national)


@cache
def _plan(code: str) -> _Plan | None:
    """The plan behind a calling code of one to three digits; None when it is nobody's."""
    region = _MAIN_REGION.get(code)
    metadata = region and PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if not metadata or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    return _Plan(frozenset(metadata.general_desc.possible_length), re.compile(prefix) if prefix else None)
