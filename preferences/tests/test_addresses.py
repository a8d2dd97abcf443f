from typing import Any

import pytest
from django.core.validators import validate_email
from hypothesis import given
from hypothesis import strategies as st

from preferences.addresses import RecipientFields, comparable, mask, normalize
from tenants.parsing import validate
from tenants.problems import FieldError, Problem


def parsed(**fields: Any) -> RecipientFields:
    return normalize(validate(RecipientFields, fields), "US")


def refusal(**fields: Any) -> list[FieldError]:
    with pytest.raises(Problem) as caught:
        parsed(**fields)
    assert caught.value.status_code == 400
    return caught.value.errors


def test_it_works() -> None:
    fields = parsed(id="user-1", email="ann@example.com", phone="500 555 0006", devices=["token"])
    assert (fields.type, fields.email, fields.phone) == ("user", "ann@example.com", "+15005550006")
    assert [device.token for device in fields.devices or []] == ["token"]


@pytest.mark.parametrize(
    ("field", "given_as", "kept_as"),
    [
        ("email", "Ann.B+news@EXAMPLE.com", "Ann.B+news@example.com"),
        ("email", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("email", '"ann.b"@example.com', '"ann.b"@example.com'),
        ("email", "ann@localhost", "ann@localhost"),
        ("phone", "+44 20 7183 8750", "+442071838750"),
        ("locale", "EN", "en"),
        ("locale", "pt-br", "pt-BR"),
        ("locale", "zh-hant-tw", "zh-Hant-TW"),
        ("locale", "es-419", "es-419"),
        ("locale", "de-CH-1996", "de-CH-1996"),
        ("locale", "en-us-u-CA-gregory", "en-US-u-ca-gregory"),
        ("timezone", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("webhook", "https://bücher.example/hook?x=1", "https://xn--bcher-kva.example/hook?x=1"),
        ("slack", "C024BE91L", "C024BE91L"),
    ],
)
def test_it_spells_each_address_in_one_way(field: str, given_as: str, kept_as: str) -> None:
    assert getattr(parsed(**{field: given_as}), field) == kept_as


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("email", "", "invalid_email"),
        ("email", "ann", "invalid_email"),
        ("email", "ann@", "invalid_email"),
        ("email", "@example.com", "invalid_email"),
        ("email", "ann@example", "invalid_email"),
        ("email", "ann@-x.com", "invalid_email"),
        ("email", "a..b@example.com", "invalid_email"),
        ("email", "ann@example.com\n", "invalid_email"),
        ("email", "ann@example.com\nBcc: eve@example.com", "invalid_email"),
        ("email", "ann\u212a@example.com", "invalid_email"),  # KELVIN SIGN, which folds to k
        ("email", "a" * 309 + "@example.com", "string_too_long"),
        ("email", 7, "string_type"),
        ("phone", "12345", "invalid_phone"),
        ("phone", "nobody", "invalid_phone"),
        ("phone", "", "invalid_phone"),
        ("phone", "1" * 65, "string_too_long"),
        ("phone", 15005550006, "string_type"),
        ("locale", "english", "invalid_locale"),
        ("locale", "en_US", "invalid_locale"),
        ("locale", "en-", "invalid_locale"),
        ("timezone", "Berlin", "unknown_timezone"),
        ("timezone", "", "unknown_timezone"),
        ("timezone", "../../etc/passwd", "unknown_timezone"),
        ("webhook", "ftp://example.com/", "invalid_url"),
        ("webhook", "javascript:alert(1)", "invalid_url"),
        ("webhook", "example.com", "invalid_url"),
        ("webhook", "https://", "invalid_url"),
        ("webhook", "https://example.com/" + "é" * 400, "invalid_url"),  # too long once encoded
        ("slack", "", "string_too_short"),
        ("slack", "C1\n", "control_character"),
        ("discord", "x" * 501, "string_too_long"),
        ("id", "", "string_too_short"),
        ("id", "a\x00b", "control_character"),
        ("id", "x" * 256, "string_too_long"),
        ("type", "\x1b", "control_character"),
        ("devices", "token", "list_type"),
        ("devices", ["t"] * 101, "too_long"),
        ("fax", "1", "unknown_field"),
    ],
)
def test_it_refuses_what_is_no_address(field: str, value: Any, code: str) -> None:
    assert [(error.pointer, error.code) for error in refusal(**{field: value})] == [(f"/{field}", code)]


@pytest.mark.parametrize(
    ("device", "pointer", "code"),
    [
        ("", "/devices/0", "string_too_short"),
        ("tökén", "/devices/0", "invalid_token"),
        ({"token": "a\nb"}, "/devices/0/token", "invalid_token"),
        ({"token": "x" * 2049}, "/devices/0/token", "string_too_long"),
        ({}, "/devices/0/token", "missing"),
        ({"token": "t", "platform": "Web Browser"}, "/devices/0/platform", "string_pattern_mismatch"),
        ({"token": "t", "os": "x"}, "/devices/0/os", "unknown_field"),
        (7, "/devices/0", "model_type"),
    ],
)
def test_it_points_into_devices(device: Any, pointer: str, code: str) -> None:
    assert [(error.pointer, error.code) for error in refusal(devices=[device])] == [(pointer, code)]


def test_it_points_from_where_it_is_told() -> None:
    with pytest.raises(Problem) as caught:
        normalize(RecipientFields(phone="12345"), "US", "/notifications/3/recipient")
    assert caught.value.errors[0].pointer == "/notifications/3/recipient/phone"


def test_it_reads_a_national_number_as_the_country_does() -> None:
    assert normalize(RecipientFields(phone="030 901820"), "DE").phone == "+4930901820"


@given(st.from_regex(r"[a-z0-9._%+-]{1,8}@[a-z0-9.-]{1,12}", fullmatch=True))
def test_it_takes_no_email_that_django_refuses(value: str) -> None:
    try:
        fields = validate(RecipientFields, {"email": value})
    except Problem:
        return
    validate_email(fields.email)


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("email", "ann@example.com", "a•••@example.com"),
        ("email", "a@b.example", "a•••@b.example"),
        ("sms", "+15005550006", "+1•••••0006"),
        ("whatsapp", "+4915123456789", "+49•••••6789"),
        ("push", "fcm-token-0123456789-abcdefgh", "fcm-to•••"),
        ("push", "abc", "•••"),
        ("push", '{"endpoint":"https://push.example/1","keys":{}}', "https://push.example•••"),
        ("slack", "C024BE91L", "C0•••"),
        ("slack", "https://hooks.slack.example/services/T0/B0/secret", "https://hooks.slack.example•••"),
        ("webhook", "https://user:password@example.com/hook", "https:•••"),
        ("in_app", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ],
)
def test_it_masks(channel: str, address: str, shown: str) -> None:
    assert mask(channel, address) == shown


def test_it_compares_mailboxes_whatever_their_case() -> None:
    assert comparable("email", "Ann@Example.com") == comparable("email", "ann@example.com")
    assert comparable("push", "Token") != comparable("push", "token")
