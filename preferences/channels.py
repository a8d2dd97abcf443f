"""The channels, in the order people name them."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tenants.channels import CHANNELS
from tenants.frequency import EVERYTHING

__all__ = ["CHANNELS", "Capped", "KnownChannel"]


def _known(name: str) -> str:
    if name not in CHANNELS:
        raise PydanticCustomError("unknown_channel", "There is no such channel.")
    return name


def _capped(name: str) -> str:
    return name if name == EVERYTHING else _known(name)


def _one_of(*names: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)})


KnownChannel = Annotated[str, AfterValidator(_known), _one_of(*CHANNELS)]
Capped = Annotated[str, AfterValidator(_capped), _one_of(*CHANNELS, EVERYTHING)]
"""What a cap may count: a channel, or all of them."""
