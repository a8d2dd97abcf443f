"""Hashes by which an address or a person is recognised, and from which neither can be read.

HMAC-SHA-256 under a key of the installation's own: without the key a list of all phone numbers that there are
would not help. What is hashed names the channel, and no tenant: two installations that share a key may
exchange hashes.

`SUPPRESSION_KEYS` holds several: the first makes new hashes, all are looked under. A hash cannot be made anew
under another key unless its address is given, so a key stays for as long as there are hashes of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from preferences.addresses import comparable
from tenants.keyrings import parse


class Hash(NamedTuple):
    key_id: str
    value: str


Hmac = Callable[[bytes], str]


def of_address(channel: str, address: str) -> list[Hash]:
    """The address's hash under each key, first the one that new rows have."""
    return [Hash(id, hmac(_said(channel, address))) for id, hmac in ring().items()]


def of_addresses(addresses: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    """As `of_address` for many: each's place and a hash, under every key. A microsecond each."""
    hmacs = list(ring().values())
    for place, (channel, address) in enumerate(addresses):
        said = _said(channel, address)
        for hmac in hmacs:
            yield place, hmac(said)


def of_person(tenant_id: UUID, type: str, external_id: str) -> list[Hash]:
    """As `of_address`, for a recipient's identity. No channel is named `recipient`."""
    said = f"recipient\0{tenant_id}\0{type}\0{external_id}".encode()
    return [Hash(id, hmac(said)) for id, hmac in ring().items()]


def marks() -> dict[str, str]:
    """By key id, what tells a key from another of the same id, in a file that leaves the installation."""
    return {id: hmac(b"mark")[:16] for id, hmac in ring().items()}


def _said(channel: str, address: str) -> bytes:
    return f"{channel}\0{comparable(channel, address)}".encode()


def ring() -> Mapping[str, Hmac]:
    """What makes hashes, by the id of its key. Raises `ImproperlyConfigured` without any key."""
    return _ring(tuple(settings.SUPPRESSION_KEYS))


@cache
def _ring(entries: Sequence[str]) -> dict[str, Hmac]:
    return {id: _hmac(key) for id, key in parse("SUPPRESSION_KEYS", entries).items()}


def _hmac(key: bytes) -> Hmac:
    """The key's half of the work is done once, as RFC 2104, section 4, proposes: a third of `hmac.digest`."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def digest(said: bytes) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(said)
        around.update(within.digest())
        return around.hexdigest()

    return digest
