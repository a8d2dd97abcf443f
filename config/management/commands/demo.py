import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import stack
from config.embedded import StartError
from config.tour import host


class Command(BaseCommand):
    help = (
        "Runs everything, as `up` does, and takes you round: what is sent, what arrives, what fails and how."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        stack.add_arguments(parser)
        parser.add_argument("--once", action="store_true", help="check every outcome, then exit 0 or 1")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        chosen = stack.Options.chosen(options)
        if not chosen.sandbox:
            raise CommandError("the tour needs the sandbox: without it, use `manage.py up --no-sandbox`")
        try:
            sys.exit(host.run(chosen, once=once))
        except StartError as error:
            raise CommandError(str(error)) from None
