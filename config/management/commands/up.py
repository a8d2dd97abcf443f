import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import stack
from config.embedded import StartError
from config.terminal import Terminal


class Command(BaseCommand):
    help = "Runs everything in this terminal: PostgreSQL and Valkey, web, worker, beat and the sandbox."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        stack.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        terminal, chosen = Terminal(), stack.Options.chosen(options)

        async def say_ready(env: Mapping[str, str]) -> None:
            terminal.say("stack", f"ready {chosen.url}")

        try:
            sys.exit(stack.run(chosen, say=terminal.say, when_ready=say_ready))
        except StartError as error:
            raise CommandError(str(error)) from None
