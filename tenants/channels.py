"""What `channels` may hold: names, failover chains, and chains that go on when nobody answers in time.

An entry is a name, a list of names, or `{"chain": [names], "within": seconds}`. It is stored as it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, StringConstraints, Tag, TypeAdapter, ValidationError

from tenants.parsing import RequestModel

CHANNELS = ("in_app", "email", "sms", "whatsapp", "push", "slack", "discord", "webhook")
"""The channels, in the order people name them."""

LONGEST_WITHIN = 604_800
"""Seconds: a week."""

Channel = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Chain = Annotated[list[Channel], Field(min_length=1, max_length=8)]
Within = Annotated[int, Field(ge=1, le=LONGEST_WITHIN, strict=True)]


class TimedChain(RequestModel):
    """A chain whose next route is used when the one before has not arrived (or been seen) in time.

    `within` is in seconds. For in_app and push only being seen counts, for the other channels the receipt.
    """

    chain: Chain
    within: Within


def shape(entry: object) -> str:
    """Which kind of entry it is meant to be, so that its errors are about that kind."""
    if isinstance(entry, list):
        return "chain"
    return "timed" if isinstance(entry, dict | RequestModel) else "name"


Entry = Annotated[
    Annotated[Channel, Tag("name")] | Annotated[Chain, Tag("chain")] | Annotated[TimedChain, Tag("timed")],
    Discriminator(shape),
]
Entries = Annotated[list[Entry], Field(max_length=16)]
Plain = str | Sequence[str] | Mapping[str, Any]
"""An entry as it is stored."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry, read. A bare name is a leg for each address; a chain is one leg."""

    chain: Sequence[str]
    within: int | None = None
    is_bare: bool = False

    def __str__(self) -> str:
        return " → ".join(self.chain) + (f" within {self.within} s" if self.within else "")


def read(entry: Plain) -> Wanted:
    if isinstance(entry, str):
        return Wanted([entry], is_bare=True)
    if isinstance(entry, Mapping):
        return Wanted(entry["chain"], entry["within"])
    return Wanted(entry)


def plain(entries: Iterable[str | list[str] | TimedChain]) -> list[Plain]:
    """The entries of a request as they are stored."""
    return [entry.model_dump() if isinstance(entry, TimedChain) else entry for entry in entries]


def named(entries: Iterable[Plain]) -> Iterator[tuple[str, str]]:
    """Each channel with the pointer to where it is named."""
    for index, entry in enumerate(entries):
        if isinstance(entry, str):
            yield f"/{index}", entry
            continue
        below = "/chain" if isinstance(entry, Mapping) else ""
        yield from ((f"/{index}{below}/{place}", channel) for place, channel in enumerate(read(entry).chain))


_ENTRIES: TypeAdapter[Any] = TypeAdapter(Entries)
_CHAINS: TypeAdapter[Any] = TypeAdapter(dict[str, Entry])
_ORDER = TypeAdapter(dict[str, list[str]])
_TAGS = {"name", "chain", "timed"}


def complaints(entries: object) -> list[str]:
    """What is wrong with such a list, in words for whoever typed it."""
    if wrong := _misshapen(_ENTRIES, entries):
        return wrong
    assert isinstance(entries, list)
    return [f"{pointer}: there is no channel {name!r}." for pointer, name in _strange(named(entries))]


def fallback_complaints(fallback: object) -> list[str]:
    """The same for `{channel: chain}`: each begins with the channel that it is for."""
    if wrong := _misshapen(_CHAINS, fallback):
        return wrong
    assert isinstance(fallback, dict)
    keys = [f"There is no channel {name!r}." for name in fallback if name not in CHANNELS]
    bare = [f"{name}: a chain is a list of channels." for name in fallback if isinstance(fallback[name], str)]
    if keys or bare:
        return keys + bare
    strange = [
        f"{of}: there is no channel {name!r}."
        for of, entry in fallback.items()
        for _, name in _strange(named([entry]))
    ]
    elsewhere = [
        f"{of}: its chain begins with {of!r}." for of in fallback if read(fallback[of]).chain[0] != of
    ]
    return strange + elsewhere


def order_complaints(order: object) -> list[str]:
    """The same for `{channel: [account name, …]}`."""
    if wrong := _misshapen(_ORDER, order):
        return wrong
    assert isinstance(order, dict)
    strange = [f"There is no channel {name!r}." for name in order if name not in CHANNELS]
    return strange + [
        f"{of}: an account is named twice." for of in order if len({*order[of]}) < len(order[of])
    ]


def _strange(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(pointer, name) for pointer, name in found if name not in CHANNELS]


def _misshapen(adapter: TypeAdapter[Any], value: object) -> list[str]:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return [
            "".join(f"/{part}" for part in item["loc"] if part not in _TAGS) + f": {item['msg']}."
            for item in error.errors(include_url=False, include_input=False)
        ]
    return []
