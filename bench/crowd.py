"""Who is written to, and what: pure, for every process of the benchmark knows it by heart."""

from __future__ import annotations

from typing import Any

TEMPLATE = "order-shipped"
SAMPLE = {"name": "Ann", "order": "A-17", "carrier": "Post", "days": 2}
URGENT_RECIPIENTS = 1_000
"""A tenant's recipients of urgent notifications, each written to once a round."""

_AREA = {"crowd": 20, "same": 30, "other": 40}


def person(prefix: str, number: int) -> dict[str, str]:
    """A recipient's id and addresses, none of which anybody else has."""
    external_id = f"{prefix}-{number}"
    phone = f"+1{_AREA[prefix]}{number:08d}"
    return {"id": external_id, "email": f"{external_id}@bench.example", "phone": phone}


def address(channel: str, external_id: str) -> str:
    """Where the sink of `channel` sees the recipient."""
    prefix, _, number = external_id.partition("-")
    field = {"sms": "phone", "email": "email", "in_app": "id"}[channel]
    return person(prefix, int(number))[field]


def item(channel: str, number: int) -> dict[str, Any]:
    """The `number`th notification of a batch, as it stands in the request."""
    return {
        "recipient": f"crowd-{number}",
        "template": TEMPLATE,
        "data": {"name": f"Ann {number}", "order": f"A-{number}", "carrier": "Post", "days": number % 5 + 1},
        "channels": [channel],
        "reference": f"order-{number}",
    }
