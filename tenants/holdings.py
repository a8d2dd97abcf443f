"""What each table keeps of people: how one person's rows are found, and what is left when they are erased.

Each app declares its own, in its `holdings.py`; `notifications.exporting` and `notifications.erasure` go
through them all. A column with words or JSON that is neither cleared nor said to stay fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

AnyModel = TypeVar("AnyModel", bound=Model)
Whose = TypeVar("Whose")

Address = tuple[str, str]
"""A channel and an address on it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose traces are looked for. A stranger is only addresses.

    `recipient_ids` are the ids that the directory gave them: several, when they were deleted and came back.
    """

    tenant_id: UUID
    type: str = ""
    external_id: str = ""
    recipient_ids: frozenset[UUID] = frozenset()
    addresses: frozenset[Address] = frozenset()

    def by(self, *channels: str) -> list[str]:
        """Their addresses on these channels."""
        return sorted({address for channel, address in self.addresses if channel in channels})

    def document(self) -> dict[str, Any]:
        """As JSON, without the tenant."""
        return {
            "type": self.type,
            "external_id": self.external_id,
            "recipient_ids": sorted(map(str, self.recipient_ids)),
            "addresses": sorted(map(list, self.addresses)),
        }

    @classmethod
    def of(cls, tenant_id: UUID, document: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id,
            document["type"],
            document["external_id"],
            frozenset(map(UUID, document["recipient_ids"])),
            frozenset((channel, address) for channel, address in document["addresses"]),
        )


@dataclass(frozen=True, slots=True)
class Holding(Generic[Whose, AnyModel]):
    """A table that holds something of people, under its name in exports and in an erasure's counts.

    `rows` finds the rows of a `Subject`, or of notifications by their ids. `cleared` is what the columns that
    identify somebody become; None: the rows are deleted. `stays` names the columns with words that say
    nothing of anybody.
    """

    name: str
    model: type[AnyModel]
    rows: Callable[[Whose], QuerySet[AnyModel]]
    cleared: Mapping[str, Any] | None = None
    stays: frozenset[str] = field(default_factory=frozenset)

    def erase(self, rows: QuerySet[AnyModel]) -> int:
        """Clear or delete `rows`; how many they were."""
        if self.cleared is None:
            return rows.delete()[0]
        return rows.update(**self.cleared)
