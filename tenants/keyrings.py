"""Secrets of the installation as operators give them: `id:base64(32 bytes)`, the one in use first."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
LONGEST_ID = 32


def parse(setting: str, entries: Sequence[str]) -> dict[str, bytes]:
    """The keys by id, in order. Raises `ImproperlyConfigured`, which names the setting and shows no key."""
    if not entries:
        raise ImproperlyConfigured(f"{setting} is not set. See .env.example.")
    ring = {}
    for entry in entries:
        key_id, _, encoded = entry.partition(":")
        if flaw(entry):
            raise ImproperlyConfigured(
                f"{setting}: key {key_id!r} is not an id, a colon and base64 of {KEY_BYTES} bytes."
            )
        ring[key_id] = base64.b64decode(encoded)
    return ring


def flaw(entry: str) -> str:
    """What is wrong with an entry, without showing it; empty when nothing is."""
    key_id, colon, encoded = entry.partition(":")
    if not (colon and key_id):
        return "has no id before a colon"
    if len(key_id) > LONGEST_ID:
        return f"has an id longer than {LONGEST_ID} characters"
    try:
        length = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return "is not base64 after the colon"
    return "" if length == KEY_BYTES else f"holds {length} bytes instead of {KEY_BYTES}"
