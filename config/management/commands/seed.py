from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from config import seeding

COLOURS = {"created": "green", "updated": "yellow", "archived": "yellow", "removed": "red"}
KEYCLOAK = (
    "keycloak: skipped. Seeding an identity provider needs the address of a Keycloak, "
    "and signing in through one is not part of this version."
)


class Command(BaseCommand):
    help = "Fills the demo tenant, whose provider accounts are the sandbox. May be run again at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = ("all", "database", "keycloak", "reset", "status")
        parser.add_argument("part", nargs="?", default="all", choices=parts)
        parser.add_argument("--yes", action="store_true", help="with reset: really remove them")

    def handle(self, *, part: str, yes: bool, **options: Any) -> None:
        if part in ("all", "database"):
            self._show(seeding.seed())
        if part in ("all", "keycloak"):
            self.stdout.write(KEYCLOAK)
        if part == "reset":
            if not yes:
                raise CommandError("This removes what the demo tenant owns and has sent. Add --yes to do so.")
            self._show(seeding.reset())
        if part == "status":
            self._print("", ("what", "state"), seeding.status())

    def _show(self, steps: Iterable[seeding.Step]) -> None:
        rows = [(step.what, step.name, _coloured(step.done), step.note) for step in steps]
        self._print("Demo tenant", ("what", "which", "done", ""), rows)

    def _print(self, title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column == "which")
        for row in rows:
            table.add_row(*row)
        Console(
            file=cast("IO[str]", self.stdout), width=None if self.stdout.isatty() else 1000, highlight=False
        ).print(table)


def _coloured(done: str) -> str:
    return f"[{COLOURS.get(done, 'dim')}]{done}[/]"
