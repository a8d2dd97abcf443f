"""Frequency caps as operators write them, by channel or of all: `{"sms": {"max": 5, "per": "day"}}`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tenants.channels import CHANNELS
from tenants.parsing import RequestModel

EXAMPLE = '{"sms": {"max": 5, "per": "day"}, "all": {"max": 20, "per": "week", "then": "defer"}}'
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


_CAPS = TypeAdapter(dict[str, FrequencyCap])


def complaints(frequency: object) -> list[str]:
    """What is wrong with such caps, in words for whoever typed them."""
    try:
        caps = _CAPS.validate_python(frequency)
    except ValidationError as error:
        return [
            "".join(f"/{part}" for part in item["loc"]) + f": {item['msg']}."
            for item in error.errors(include_url=False, include_input=False)
        ]
    strange = caps.keys() - {*CHANNELS, EVERYTHING}
    return [f"There is no channel {name!r}, and it is not {EVERYTHING!r}." for name in sorted(strange)]
