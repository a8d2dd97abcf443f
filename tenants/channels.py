"""What `channels` may hold: names, failover chains, and chains that go on when nobody answers in time.

An entry is a name, a list of names, or `{"chain": [names], "within": seconds}`. For a name there may also be
`{"channel": name, "if": "online" | "offline"}`: a channel that is used only while the recipient has the live
feed open, or only while they have not. It is stored as it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, StringConstraints, Tag, TypeAdapter, ValidationError

from tenants.parsing import RequestModel

CHANNELS = ("in_app", "email", "sms", "whatsapp", "push", "slack", "discord", "webhook")
"""The channels, in the order people name them."""

LONGEST_WITHIN = 604_800
"""Seconds: a week."""

Channel = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Condition = Literal["online", "offline"]
Within = Annotated[int, Field(ge=1, le=LONGEST_WITHIN, strict=True)]
OptionalWithin = Annotated[Within | None, Field(exclude_if=lambda within: within is None)]


class ConditionalChannel(RequestModel):
    """A channel that is used only while the recipient has the live feed open, or only while they have not.

    It is asked when its turn comes: when the notification is planned, and again when it is about to leave.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    channel: Channel
    condition: Condition = Field(alias="if")


def link_shape(link: object) -> str:
    """Which kind of link of a chain it is meant to be, so that its errors are about that kind."""
    return "conditional" if isinstance(link, dict | RequestModel) else "name"


Link = Annotated[
    Annotated[Channel, Tag("name")] | Annotated[ConditionalChannel, Tag("conditional")],
    Discriminator(link_shape),
]
Chain = Annotated[list[Link], Field(min_length=1, max_length=8)]


class TimedChain(RequestModel):
    """A chain whose next route is used when the one before has not arrived (or been seen) in time.

    `within` is in seconds. For in_app and push only being seen counts, for the other channels the receipt.
    Left out: the next route is used only when the one before fails, as in a plain list.
    """

    chain: Chain
    within: OptionalWithin = None


def shape(entry: object) -> str:
    """Which kind of entry it is meant to be, so that its errors are about that kind."""
    if isinstance(entry, list):
        return "chain"
    if isinstance(entry, RequestModel):
        return "conditional" if isinstance(entry, ConditionalChannel) else "timed"
    if isinstance(entry, dict):
        return "timed" if entry.keys() & {"chain", "within"} else "conditional"
    return "name"


Entry = Annotated[
    Annotated[Channel, Tag("name")]
    | Annotated[ConditionalChannel, Tag("conditional")]
    | Annotated[Chain, Tag("chain")]
    | Annotated[TimedChain, Tag("timed")],
    Discriminator(shape),
]
Entries = Annotated[list[Entry], Field(max_length=16)]
PlainLink = str | Mapping[str, str]
Plain = str | Sequence[PlainLink] | Mapping[str, Any]
"""An entry as it is stored."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry, read. A bare name is a leg for each address; a chain is one leg.

    `conditions`: of the channels that have one.
    """

    chain: Sequence[str]
    within: int | None = None
    is_bare: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        links = (f"{name} if {when}" if (when := self.conditions.get(name)) else name for name in self.chain)
        return " → ".join(links) + (f" within {self.within} s" if self.within else "")

    def only_if(self, condition: str | None) -> Wanted:
        """The same, all of it under a condition; what has one of its own keeps that."""
        if condition is None:
            return self
        return replace(self, conditions=dict.fromkeys(self.chain, condition) | dict(self.conditions))


def read(entry: Plain) -> Wanted:
    links, within = _links(entry), entry.get("within") if isinstance(entry, Mapping) else None
    conditions = {link["channel"]: link["if"] for link in links if not isinstance(link, str)}
    return Wanted([_name(link) for link in links], within, bare(entry) is not None, conditions)


def bare(entry: Plain) -> str | None:
    """The channel that is named alone, with a condition or without; None: it is a chain."""
    if isinstance(entry, str):
        return entry
    return entry.get("channel") if isinstance(entry, Mapping) else None


def _links(entry: Plain) -> Sequence[PlainLink]:
    if isinstance(entry, Mapping):
        chain: Sequence[PlainLink] = entry.get("chain", [entry])
        return chain
    return [entry] if isinstance(entry, str) else entry


def _name(link: PlainLink) -> str:
    return link if isinstance(link, str) else link["channel"]


def has_conditions(entries: Iterable[Plain]) -> bool:
    return any(not isinstance(link, str) for entry in entries for link in _links(entry))


def plain(entries: Iterable[Any]) -> list[Plain]:
    """The entries of a request as they are stored."""
    return [_plain(entry) for entry in entries]


def _plain(entry: Any) -> Any:
    if isinstance(entry, RequestModel):
        return entry.model_dump()
    return plain(entry) if isinstance(entry, list) else entry


def named(entries: Iterable[Plain]) -> Iterator[tuple[str, str]]:
    """Each channel with the pointer to where it is named."""
    for index, entry in enumerate(entries):
        below = "/chain" if isinstance(entry, Mapping) and "chain" in entry else ""
        for place, link in enumerate(_links(entry)):
            inside = "" if isinstance(link, str) else "/channel"
            yield f"/{index}{'' if bare(entry) else f'{below}/{place}'}{inside}", _name(link)


TWICE = "{} has a condition, and may then be named once in a chain."


def contradictions(entries: Iterable[Plain]) -> Iterator[tuple[str, str]]:
    """Where a chain names a channel again that has a condition: which would hold for it? With the pointer."""
    for index, entry in enumerate(entries):
        links = _links(entry)
        conditional = {_name(link) for link in links if not isinstance(link, str)}
        names = [_name(link) for link in links]
        for place, (pointer, name) in enumerate(named([entry])):
            if name in conditional and name in names[:place]:
                yield f"/{index}" + pointer.removeprefix("/0"), name


_ENTRIES: TypeAdapter[Any] = TypeAdapter(Entries)
_CHAINS: TypeAdapter[Any] = TypeAdapter(dict[str, Entry])
_ORDER = TypeAdapter(dict[str, list[str]])
_TAGS = {"name", "conditional", "chain", "timed"}


def complaints(entries: object) -> list[str]:
    """What is wrong with such a list, in words for whoever typed it."""
    if wrong := _misshapen(_ENTRIES, entries):
        return wrong
    assert isinstance(entries, list)
    strange = [f"{pointer}: there is no channel {name!r}." for pointer, name in _strange(named(entries))]
    return strange or [f"{pointer}: {TWICE.format(name)}" for pointer, name in contradictions(entries)]


def fallback_complaints(fallback: object) -> list[str]:
    """The same for `{channel: chain}`: each begins with the channel that it is for."""
    if wrong := _misshapen(_CHAINS, fallback):
        return wrong
    assert isinstance(fallback, dict)
    keys = [f"There is no channel {name!r}." for name in fallback if name not in CHANNELS]
    alone = [f"{name}: a chain is a list of channels." for name in fallback if bare(fallback[name])]
    if keys or alone:
        return keys + alone
    strange = [
        f"{of}: there is no channel {name!r}."
        for of, entry in fallback.items()
        for _, name in _strange(named([entry]))
    ]
    elsewhere = [
        f"{of}: its chain begins with {of!r}." for of in fallback if read(fallback[of]).chain[0] != of
    ]
    twice = [f"{of}: {TWICE.format(n)}" for of, entry in fallback.items() for _, n in contradictions([entry])]
    return strange + elsewhere + twice


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
