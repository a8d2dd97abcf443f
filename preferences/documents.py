"""The bodies of the API, as they come and as they go."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, StrictBool

from preferences import browsers
from preferences.addresses import ExternalId, RecipientType
from preferences.channels import CHANNELS
from preferences.directory import FIELDS
from preferences.models import Recipient
from preferences.switches import Switches
from tenants.parsing import RequestModel
from tenants.problems import FieldError, escape, invalid


class Address(RequestModel):
    """Who is meant, by the URL."""

    id: ExternalId
    type: RecipientType = "user"


class DeviceToken(RequestModel):
    token: Annotated[str, BeforeValidator(browsers.spelled, json_schema_input_type=str | dict[str, Any])]


class Enabled(RequestModel):
    enabled: StrictBool


class PreferencesBody(RequestModel):
    """`channels`: on or off altogether. `categories`: by code, on or off by channel, which weighs more."""

    channels: dict[str, StrictBool] = {}
    categories: dict[str, dict[str, StrictBool]] = {}

    def switches(self, known_categories: set[str]) -> Switches:
        """Raises a 400 `Problem` that points at each channel and category there is none of."""
        errors = _unknown_channels(self.channels, "/channels")
        for code, channels in self.categories.items():
            pointer = f"/categories/{escape(code)}"
            if code not in known_categories:
                errors.append(FieldError(pointer, "unknown_category", "There is no such category."))
            errors += _unknown_channels(channels, pointer)
        if errors:
            raise invalid(errors)
        return Switches(self.channels, self.categories)


def _unknown_channels(switches: dict[str, bool], pointer: str) -> list[FieldError]:
    detail = f"Channels are {', '.join(CHANNELS)}."
    return [
        FieldError(f"{pointer}/{escape(channel)}", "unknown_channel", detail)
        for channel in switches
        if channel not in CHANNELS
    ]


class DeviceDocument(BaseModel):
    token: str
    platform: str
    created_at: dt.datetime


class RecipientDocument(BaseModel):
    """What is not known is null."""

    id: str
    type: str
    email: str | None
    phone: str | None
    locale: str | None
    timezone: str | None
    devices: list[DeviceDocument]
    slack: str | None
    discord: str | None
    webhook: str | None
    created_at: dt.datetime
    updated_at: dt.datetime

    @classmethod
    def of(cls, recipient: Recipient) -> Self:
        return cls(
            id=recipient.external_id,
            type=recipient.type,
            **{field: getattr(recipient, field) or None for field in FIELDS},
            devices=[
                DeviceDocument(token=device.token, platform=device.platform, created_at=device.created_at)
                for device in recipient.devices.all()
            ],
            created_at=recipient.created_at,
            updated_at=recipient.updated_at,
        )


class RecipientToken(BaseModel):
    token: str
    expires_at: dt.datetime


class ChannelDocument(BaseModel):
    channel: str
    enabled: bool
