from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants.models import SCOPES, ApiKey, Tenant


class Command(BaseCommand):
    help = "Makes an API key and prints it, alone, as the last line: the only time it can be seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the tenant's slug")
        parser.add_argument("--scopes", default="all", help=f"all (default), or some of {','.join(SCOPES)}")
        parser.add_argument("--test", action="store_true", help="messages go to the sandbox, not to vendors")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="default: it does not expire")

    def handle(self, *, slug: str, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {slug!r}: make it with `manage.py create_tenant {slug}`.")
        secret = _issue(tenant, **options)
        self.stderr.write(f"A key of {tenant.slug}. It is kept only as a hash, so note it now:")
        self.stdout.write(secret)


def _issue(
    tenant: Tenant, *, scopes: str, test: bool, name: str, expires_in_days: int | None, **options: Any
) -> str:
    mode = ApiKey.Mode.TEST if test else ApiKey.Mode.LIVE
    try:
        return ApiKey.issue(
            tenant=tenant, scopes=_scopes(scopes), mode=mode, name=name, expires_at=_expiry(expires_in_days)
        )[1]
    except ValidationError as error:
        raise CommandError(error.message) from None


def _scopes(given: str) -> list[str]:
    return list(SCOPES) if given == "all" else [scope.strip() for scope in given.split(",") if scope.strip()]


def _expiry(days: int | None) -> dt.datetime | None:
    if days is None:
        return None
    if not 1 <= days <= 36_500:
        raise CommandError("--expires-in-days must be between 1 and 36500.")
    return timezone.now() + dt.timedelta(days=days)
