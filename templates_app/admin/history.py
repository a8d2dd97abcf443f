"""What was released of a template, as its page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from templates_app.history import TemplateRelease
from templates_app.models import Template

Act = TemplateRelease.Act

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """`compared` is the number of the version that was sent before, where there is something to compare.

    `share` is a canary's, in words.
    """

    act: TemplateRelease
    icon: str
    tone: str
    compared: int | None
    share: str


_LOOKS: Mapping[str, tuple[str, str]] = {
    Act.PUBLISHED: ("publish", "success"),
    Act.ROLLED_BACK: ("settings_backup_restore", "warning"),
    Act.CANARY_STARTED: ("science", "primary"),
    Act.CANARY_CHANGED: ("percent", "primary"),
    Act.CANARY_PROMOTED: ("rocket_launch", "success"),
    Act.CANARY_DROPPED: ("undo", "danger"),
    Act.RESTORED: ("unarchive", "info"),
    Act.VERSION_RESTORED: ("unarchive", "info"),
}
_MAKES_CURRENT = {Act.PUBLISHED, Act.ROLLED_BACK, Act.CANARY_PROMOTED}


def history(template: Template) -> list[Entry]:
    """The latest releases, newest first."""
    rows = list(template.releases.select_related("version__template")[: _SHOWN + 1])
    return list(_entries(rows))[:_SHOWN]


def _entries(rows: Sequence[TemplateRelease]) -> Iterator[Entry]:
    for place, row in enumerate(rows):
        icon, tone = _LOOKS.get(row.act, ("inventory_2", ""))
        earlier = (old.version for old in rows[place + 1 :] if old.act in _MAKES_CURRENT and old.version)
        before = next(earlier, None) if row.act in _MAKES_CURRENT | {Act.CANARY_STARTED} else None
        yield Entry(row, icon, tone, before.number if before else None, percent(row.percent))


def percent(share: Decimal | None) -> str:
    """`12.5 %`, or nothing."""
    return f"{share.normalize():f} %" if share else ""
