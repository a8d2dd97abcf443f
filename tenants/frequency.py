"""Frequency caps as operators write them, by channel or of all: `{"sms": {"max": 5, "per": "day"}}`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tenants.parsing import RequestModel

EVERYTHING = "all"


class Cap(RequestModel):
    """At most `max` in any stretch of a `per`; a month is 30 days. `max` 0 is never."""

    max: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    per: Literal["hour", "day", "week", "month"]


class FrequencyCap(Cap):
    """A cap of the tenant's own. `then`: what becomes of one too many, the tenant's choice where left out.

    `drop` does not send it, `defer` sends it once there is room, `digest` tells it with others then.
    """

    then: Literal["drop", "digest", "defer"] | None = None
