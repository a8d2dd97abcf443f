"""Which recipients get a canary: decided by a hash, so that no row is kept for it. Pure."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from uuid import UUID

PLACES = 10_000
"""A percentage has two decimals, so there is a place for each hundredth of a percent."""


def place(template_id: UUID, recipient: str) -> int:
    """Where a recipient stands among the template's, from 0 to `PLACES` - 1: always at the same place.

    A canary takes the places below its percentage, so whoever has it keeps it while that only grows. Another
    template puts its recipients into another order, so that it is not always the same people who try things.
    """
    digest = hashlib.blake2b(recipient.encode(), key=template_id.bytes, digest_size=8).digest()
    return int.from_bytes(digest) * PLACES >> 64


def is_among(percent: Decimal, template_id: UUID, recipient: str) -> bool:
    """Whether the recipient is one of the `percent` who get the template's canary."""
    return place(template_id, recipient) < percent * PLACES / 100
