from __future__ import annotations

import sys
from typing import IO, Any, cast

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from config.diagnosis import Finding, findings

MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[bold red]error[/]"}


class Command(BaseCommand):
    help = (
        "Checks settings, services, migrations, clock, providers; says how to mend each. Exits 1 on errors."
    )
    requires_system_checks = ()  # it runs them itself, and has to live through their errors

    def handle(self, **options: Any) -> None:
        found = list(findings())
        self._print(found)
        errors = sum(finding.verdict == "error" for finding in found)
        warnings = sum(finding.verdict == "warning" for finding in found)
        self.stdout.write(f"{errors} errors, {warnings} warnings")
        if errors:
            sys.exit(1)

    def _print(self, found: list[Finding]) -> None:
        table = Table("what", "state", "finding", "how to mend it", box=None, pad_edge=False)
        for finding in found:
            table.add_row(finding.what, MARKS[finding.verdict], finding.detail, finding.remedy)
        Console(
            file=cast("IO[str]", self.stdout), width=None if self.stdout.isatty() else 1000, highlight=False
        ).print(table)
