from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from preferences.rotation import behind, rotate
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Hashes again, with the first of SUPPRESSION_KEYS, the suppressed addresses that the directory still "
        "knows, and says how many are left under each other key: as long as there are any, it must stay."
    )

    def handle(self, **options: Any) -> None:
        try:
            rotated = sum(rotate(tenant.pk) for tenant in Tenant.objects.all())
            kept = behind()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{rotated} suppressions hashed anew")
        for key_id, number in kept.items():
            self.stdout.write(f"{number} left under key {key_id}: keep it in SUPPRESSION_KEYS")
