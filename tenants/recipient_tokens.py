"""What every token that lets somebody be a recipient comes to, whoever signed it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RecipientToken:
    tenant_id: UUID
    external_id: str
    type: str
    expires_at: dt.datetime
