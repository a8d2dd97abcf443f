"""The one way news travels up.

`deliveries_changed` is sent inside the transaction that changed the deliveries, with the whole chunk's
changes: `sender=Delivery, tenant_id: UUID, changes: list[Change]`. A receiver recomputes from rows, so it may
run twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.dispatch import Signal

if TYPE_CHECKING:
    from delivery.providers.base import Content


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery's new state. `content` is what was said, for channels that keep it (in_app).

    `steps` are decisions that belong into the notification's trace.
    """

    delivery_id: UUID
    notification_id: UUID
    recipient_id: UUID | None
    channel: str
    status: str
    reason: str
    at: dt.datetime
    content: Content | None = None
    steps: Sequence[Mapping[str, Any]] = ()


deliveries_changed = Signal()
