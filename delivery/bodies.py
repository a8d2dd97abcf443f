"""What the provider endpoints take and give. Secrets go in and never out."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic import SecretStr as Secret

from delivery.account_state import state_of
from delivery.accounts import secret_fields, settings_of
from delivery.models import ProviderAccount
from delivery.providers.base import ErrorKind, ProviderMisconfigured
from delivery.registry import UnknownProvider, provider
from delivery.vitals import Vitals
from tenants.channels import Channel
from tenants.parsing import RequestModel

Name = Annotated[str, StringConstraints(pattern=r"^[-a-zA-Z0-9_]+$", max_length=64)]
Small = Annotated[int, Field(ge=0, lt=2**15)]
Rate = Annotated[int, Field(ge=1, lt=2**31)]


class NewAccount(RequestModel):
    """`settings` are those that the provider asks for, secrets among them."""

    name: Name
    channel: Channel
    provider: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    settings: dict[str, Any] = {}
    priority: Small = 10
    weight: Small = 100
    rate_per_second: Rate | None = None
    is_enabled: bool = True
    is_sandbox: bool = False


class AccountChange(RequestModel):
    """What is left out stays as it is, each of the settings too. Null takes an optional setting away."""

    name: Name | None = None
    settings: dict[str, Any] | None = None
    priority: Small | None = None
    weight: Small | None = None
    rate_per_second: Rate | None = None
    is_enabled: bool | None = None
    is_sandbox: bool | None = None

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        given = self.model_fields_set - {"rate_per_second"}
        if nulls := [name for name in given if getattr(self, name) is None]:
            raise ValueError(f"{', '.join(sorted(nulls))}: null is not a value.")
        return self


class Steer(RequestModel):
    """`pin`: used first, whatever its health. `drain`: gets nothing new. Null lets it go."""

    steering: Literal["pin", "drain"] | None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


class Health(BaseModel):
    """`percent` scales the weight; below the breaker the account rests until `well_at`.

    `reason` and `changed_at` are of the last failure.
    """

    state: Literal["well", "recovering", "resting", "pinned", "drained"]
    percent: int
    weight: int
    is_resting: bool
    well_at: dt.datetime | None
    reason: str
    changed_at: dt.datetime

    @classmethod
    def of(cls, row: ProviderAccount) -> Self:
        state = state_of(row)
        return cls(
            state=state["word"],
            percent=state["percent"],
            weight=state["weight"],
            is_resting=state["is_open"],
            well_at=state["well_at"] if state["is_open"] else None,
            reason=state["reason"],
            changed_at=state["changed_at"],
        )


class Steering(BaseModel):
    """Who said so, when and why."""

    steering: Literal["pin", "drain"]
    by: str
    at: dt.datetime | None
    reason: str

    @classmethod
    def of(cls, row: ProviderAccount) -> Self:
        who = {"by": row.steered_by, "at": row.steered_at, "reason": row.steering_reason}
        return cls.model_validate({"steering": row.steering, **who})


class LastHour(BaseModel):
    """Half, and 95 %, of the calls took no longer than `typical_ms` and `slow_ms`."""

    calls: int
    failed: int
    error_rate: float
    typical_ms: int
    slow_ms: int

    @classmethod
    def of(cls, vitals: Vitals) -> Self:
        return cls(**{name: getattr(vitals, name) for name in cls.model_fields})


_COLUMNS = (
    *("id", "name", "channel", "provider", "settings", "priority", "weight", "rate_per_second"),
    *("is_enabled", "is_sandbox", "created_at"),
)


class AccountView(BaseModel):
    """`secrets` names those that are set. `last_hour` is null where no call was made."""

    id: UUID
    name: str
    channel: str
    provider: str
    settings: dict[str, Any]
    secrets: list[str]
    priority: int
    weight: int
    rate_per_second: int | None
    is_enabled: bool
    is_sandbox: bool
    health: Health
    steering: Steering | None
    last_hour: LastHour | None
    created_at: dt.datetime

    @classmethod
    def of(cls, row: ProviderAccount, vitals: Vitals | None) -> Self:
        return cls(
            **{name: getattr(row, name) for name in _COLUMNS},
            secrets=_secrets(row),
            health=Health.of(row),
            steering=Steering.of(row) if row.steering else None,
            last_hour=LastHour.of(vitals) if vitals else None,
        )


def _secrets(row: ProviderAccount) -> list[str]:
    """None when they cannot be opened: they are to be given anew."""
    try:
        settings = settings_of(row)
        names = secret_fields(provider(row.channel, row.provider).Settings)
    except (ProviderMisconfigured, UnknownProvider):
        return []
    return sorted(name for name in names if isinstance(getattr(settings, name), Secret))


class CheckError(BaseModel):
    kind: ErrorKind | Literal["misconfigured"]
    code: str
    detail: str


class CheckAnswer(BaseModel):
    """Whether the provider let us in, and how long it took."""

    is_ok: bool
    ms: int
    error: CheckError | None = None
