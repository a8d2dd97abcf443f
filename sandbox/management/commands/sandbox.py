"""`manage.py sandbox`: every vendor in one local process, with an inbox to look at."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sandbox import server


class Command(BaseCommand):
    help = server.DESCRIPTION
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        server.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        ports = {name: value for name, value in options.items() if name.endswith("_port")}
        server.run(host=options["host"], port=options["port"], **ports)
