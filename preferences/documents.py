"""The bodies of the API, as they come and as they go."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, StrictBool

from preferences import browsers
from preferences.addresses import ExternalId, RecipientType
from preferences.directory import FIELDS
from preferences.models import Recipient
from preferences.rules.presence import Presence
from tenants.parsing import RequestModel


class Address(RequestModel):
    """Who is meant, by the URL."""

    id: ExternalId
    type: RecipientType = "user"


class DeviceToken(RequestModel):
    token: Annotated[str, BeforeValidator(browsers.spelled, json_schema_input_type=str | dict[str, Any])]


class Enabled(RequestModel):
    enabled: StrictBool


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


class PresenceDocument(BaseModel):
    """`since` is null while they are away; `last_seen_at` is now while they are not, null after a week."""

    online: bool
    sockets: int
    since: dt.datetime | None
    last_seen_at: dt.datetime | None

    @classmethod
    def of(cls, known: Presence, last_seen_at: dt.datetime | None) -> Self:
        return cls(
            online=known.is_online, sockets=known.sockets, since=known.since, last_seen_at=last_seen_at
        )


class RecipientToken(BaseModel):
    token: str
    expires_at: dt.datetime


class PageLink(BaseModel):
    url: str
    expires_at: dt.datetime


class ChannelDocument(BaseModel):
    channel: str
    enabled: bool
