from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.tenancy import TenantInUseError, delete_tenant
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Removes a tenant that is switched off and everything of its own: accounts, keys, templates, "
        "recipients and all that was ever sent. What has not left is canceled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--yes", action="store_true", help="really remove it")

    def handle(self, *, slug: str, yes: bool, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {slug!r}.")
        if not yes:
            raise CommandError(
                f"This removes {slug} ({tenant.name}) and all of its own, for ever. Add --yes to do so."
            )
        try:
            # A lost worker's deliveries are settled for it when its lease has ended and beat has looked.
            removed = delete_tenant(tenant, patience=1.5 * settings.NOTIFICATION_LEASE_SECONDS)
        except TenantInUseError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Removed the tenant {slug} ({tenant.name}).")
        for what, number in removed.items():
            if number:
                self.stdout.write(f"{number:>10} {what}")
