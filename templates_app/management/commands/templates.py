from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from templates_app import exchange
from templates_app.diffing import Line, PartDiff
from templates_app.exchange import Outcome
from templates_app.folder_diffing import Difference
from templates_app.folders import FilesError
from tenants.context import tenant_scope
from tenants.models import Tenant

_SIGNS = {"same": "  ", "added": "+ ", "removed": "- ", "gap": "@ "}


class Command(BaseCommand):
    help = "Templates as folders of files: export them, import them, or see what differs (docs/templates.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True)
        for deed, says in (
            ("export", "write a folder a template"),
            ("import", "make the tenant's templates what the folders say, all or none"),
            ("diff", "show what an import would change; 1 if anything"),
        ):
            one = deeds.add_parser(deed, help=says)
            one.add_argument("dir", type=Path, help="the folder of folders")
            one.add_argument("--tenant", required=True, metavar="SLUG")
            one.add_argument("--only", action="append", default=[], metavar="CODE", help="may be repeated")
            if deed == "import":
                one.add_argument("--publish", action="store_true", help="send what the files say from now on")
                one.add_argument("--dry-run", action="store_true", help="say what would change")
            else:
                one.add_argument(
                    "--newest", action="store_true", help="the newest versions, also if they are drafts"
                )

    def handle(self, *, deed: str, tenant: str, dir: Path, **options: Any) -> None:  # noqa: A002
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        if deed != "export" and not dir.is_dir():
            raise CommandError(f"There is no folder {dir}.")
        deeds: dict[str, Callable[..., None]] = {
            "export": self._export,
            "import": self._import,
            "diff": self._diff,
        }
        try:
            with tenant_scope(found.pk):
                deeds[deed](found, dir, **options)
        except FilesError as error:
            for wrong in error.errors:
                self.stderr.write(str(wrong), self.style.ERROR)
            count = len(error.errors)
            raise CommandError(f"{count} error{'s' if count > 1 else ''}; nothing was changed.") from None

    def _export(self, tenant: Tenant, root: Path, *, only: list[str], newest: bool, **options: Any) -> None:
        self._tell(exchange.export(tenant, root, only=only, newest=newest))

    def _import(
        self, tenant: Tenant, root: Path, *, only: list[str], publish: bool, dry_run: bool, **options: Any
    ) -> None:
        self._tell(exchange.import_(tenant, root, only=only, publishing=publish, dry_run=dry_run))
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")

    def _diff(self, tenant: Tenant, root: Path, *, only: list[str], newest: bool, **options: Any) -> None:
        found = exchange.compare(tenant, root, only=only, newest=newest)
        for difference in found:
            self._show(difference)
        if found:
            raise CommandError("They differ.", returncode=1)
        self.stdout.write("They are the same.")

    def _tell(self, outcomes: Iterable[Outcome]) -> None:
        for one in outcomes:
            version = (
                f" (version {one.version}{', published' if one.published else ''})" if one.version else ""
            )
            self.stdout.write(f"{one.did:8} {one.code}{version}")

    def _show(self, difference: Difference) -> None:
        if difference.missing:
            self.stdout.write(f"{difference.code}: there is no {difference.missing}")
            return
        for name, lines in difference.files.items():
            self._lines(f"{difference.code}: {name}", lines)
        for part in difference.parts:
            self._lines(f"{difference.code}: {_title(part)}", part.lines)

    def _lines(self, title: str, lines: Iterable[Line]) -> None:
        self.stdout.write(title, self.style.MIGRATE_HEADING)
        styles = {"added": self.style.SUCCESS, "removed": self.style.ERROR}
        for line in lines:
            self.stdout.write(_SIGNS[line.op] + line.text, styles.get(line.op))


def _title(part: PartDiff) -> str:
    return " ".join(word for word in (part.channel, part.locale, part.part) if word)
