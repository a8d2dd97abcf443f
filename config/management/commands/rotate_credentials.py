from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from delivery.accounts import rotate_credentials


class Command(BaseCommand):
    help = (
        "Encrypts again, with the first of CREDENTIAL_KEYS, what provider accounts hold under another. "
        "Exits 1, naming them, when there are accounts that do not open."
    )

    def handle(self, **options: Any) -> None:
        try:
            rotated, refused = rotate_credentials()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{rotated} accounts encrypted anew")
        if refused:
            raise CommandError(f"{len(refused)} left as they were: {'; '.join(refused)}")
