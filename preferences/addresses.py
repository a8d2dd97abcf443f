"""What may be said of a recipient, and how each kind of address is checked, compared and masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import idna
from django.core.exceptions import ValidationError as Refused
from django.core.validators import validate_email
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from preferences import browsers, phones
from preferences.models import ADDRESS_LENGTH
from tenants.parsing import RequestModel
from tenants.problems import FieldError, Problem, invalid

ADDRESS_FIELD = {
    "email": "email",
    "sms": "phone",
    "whatsapp": "phone",
    "slack": "slack",
    "discord": "discord",
    "webhook": "webhook",
}
"""The field with a channel's address. in_app and push have none: the recipient itself, and its devices."""

_PLAIN_EMAIL = re.compile(
    r"[a-z0-9_%+-]+(?:\.[a-z0-9_%+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    re.IGNORECASE | re.ASCII,
)
# RFC 5646, section 2.1, but for private use and the tags registered before it.
_LOCALE = re.compile(
    r"([a-z]{2,3})(-[a-z]{4})?(-(?:[a-z]{2}|\d{3}))?"
    r"((?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*)",
    re.IGNORECASE | re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HTTP_URL = TypeAdapter(HttpUrl)


def _email(value: str) -> str:
    """With its domain in lower-case ASCII. Django's check takes ten times the regular expression's 1 µs."""
    local, _, domain = value.rpartition("@")
    if _PLAIN_EMAIL.fullmatch(value):
        return f"{local}@{domain.lower()}"
    try:
        spelled = f"{local}@{idna.encode(domain, uts46=True).decode()}"
        validate_email(spelled)
    except (idna.IDNAError, Refused):
        spelled = ""
    if not (spelled and spelled.isascii()):  # Django's regular expression takes some letters for ASCII
        raise PydanticCustomError("invalid_email", "This is not an email address.")
    return spelled


def _locale(value: str) -> str:
    """In the case that RFC 5646, section 2.1.1, recommends."""
    parts = _LOCALE.fullmatch(value)
    if parts is None:
        raise PydanticCustomError("invalid_locale", "This is not a BCP 47 language tag such as pt-BR.")
    language, script, region, rest = parts.groups(default="")
    return language.lower() + script.title() + region.upper() + rest.lower()


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def known_timezone(value: str) -> str:
    if value not in _timezones():
        raise PydanticCustomError("unknown_timezone", "This is not an IANA time zone such as Europe/Berlin.")
    return value


def _url(value: str) -> str:
    try:
        url = str(_HTTP_URL.validate_python(value))
    except ValidationError:
        url = ""
    if not 0 < len(url) <= ADDRESS_LENGTH:
        raise PydanticCustomError("invalid_url", "This is not an http or https URL.")
    return url


def _device(value: Any) -> Any:
    return {"token": value} if isinstance(value, str) else value


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "Line breaks and control characters are refused here.")
    return value


def _token(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise PydanticCustomError("invalid_token", "A device token is printable ASCII.")
    return value


_OneLine = AfterValidator(_one_line)
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255), _OneLine]
RecipientType = Annotated[str, StringConstraints(min_length=1, max_length=64), _OneLine]
_Handle = Annotated[str, StringConstraints(min_length=1, max_length=500), _OneLine]


Token = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ADDRESS_LENGTH),
    AfterValidator(_token),
    BeforeValidator(browsers.spelled, json_schema_input_type=str | dict[str, Any]),
]


class DeviceFields(RequestModel):
    """An installation that takes push messages; `platform` is android, ios, web …

    A browser's token is its push subscription, an object or the JSON of it.
    """

    token: Token
    platform: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,16}$")] = ""


class RecipientFields(RequestModel):
    """A recipient as services describe it.

    Null says nothing, except in PATCH, where it clears. A device may be its bare token.
    """

    id: ExternalId | None = None
    type: RecipientType = "user"
    email: Annotated[str, StringConstraints(max_length=320), AfterValidator(_email)] | None = None
    phone: Annotated[str, StringConstraints(max_length=64)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35), AfterValidator(_locale)] | None = None
    timezone: Annotated[str, AfterValidator(known_timezone)] | None = None
    devices: (
        Annotated[
            list[
                Annotated[DeviceFields, BeforeValidator(_device, json_schema_input_type=str | DeviceFields)]
            ],
            Field(max_length=100),
        ]
        | None
    ) = None
    slack: _Handle | None = None
    discord: _Handle | None = None
    webhook: Annotated[str, StringConstraints(max_length=ADDRESS_LENGTH), AfterValidator(_url)] | None = None

    @classmethod
    def of_checked(cls, document: Mapping[str, Any]) -> Self:
        """What was dumped once it had been checked: not checked again."""
        devices = [DeviceFields.model_construct(**device) for device in document.get("devices") or ()]
        return cls.model_construct(**{**document, "devices": devices})


def normalize(fields: RecipientFields, country: str, pointer: str = "") -> RecipientFields:
    """The same with its phone number in E.164; numbers without `+` are read as in `country` (ISO 3166).

    Raises a 400 `Problem` whose pointers begin with `pointer`, the place of `fields` in the body.
    """
    if fields.phone is None:
        return fields
    number = phones.e164(fields.phone, country)
    if number is None:
        raise invalid([FieldError(f"{pointer}/phone", "invalid_phone", "This is not a phone number.")])
    return fields if number == fields.phone else fields.model_copy(update={"phone": number})


_TOKEN = TypeAdapter(Token)


def spelled(channel: str, address: str, country: str) -> str:
    """An address of the channel as the directory keeps it; phone numbers without `+` as in `country`.

    Raises ValueError, in words for people, when the channel has no such address.
    """
    kind = ADDRESS_FIELD.get(channel)
    try:
        if kind is None:
            return _TOKEN.validate_python(address)
        fields = normalize(RecipientFields.model_validate({kind: address}), country)
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False, include_input=False)[0]["msg"]) from None
    except Problem as problem:
        raise ValueError(problem.text) from None
    return str(getattr(fields, kind))


def comparable(channel: str, address: str) -> str:
    """The address as suppressions keep it: mailboxes are one whatever their case."""
    return address.lower() if channel == "email" else address


def mask(channel: str, address: str) -> str:
    """Enough to recognise an address and too little to use it: `a•••@example.com`, `+1•••••0006`.

    Of one that was erased nothing is left to show.
    """
    if not address:
        return ""
    match channel:
        case "in_app":
            return address
        case "email":
            local, at, domain = address.rpartition("@")
            return f"{local[:1]}•••{at}{domain}"
        case "sms" | "whatsapp":
            return f"+{phones.calling_code(address)}•••••{address[-4:]}"
        case _:
            site = re.match(r'(?:\{"endpoint":")?(https?://[^/?#@"]+)(?=[/?#])', address)
            return f"{site.group(1) if site else address[: len(address) // 4][:6]}•••"
