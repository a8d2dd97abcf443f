from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.tenancy import create_tenant


class Command(BaseCommand):
    help = "Makes a tenant with the default categories."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="a short name: letters, digits, hyphens")
        parser.add_argument("--name", default="", help="as people read it; default: made from the slug")

    def handle(self, *, slug: str, name: str, **options: Any) -> None:
        try:
            tenant = create_tenant(slug=slug, name=name)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"Made the tenant {tenant.slug} ({tenant.name}).")
        self.stdout.write(f"Next: python manage.py create_api_key {tenant.slug}")
