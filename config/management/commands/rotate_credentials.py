from typing import Any

from django.core.management.base import BaseCommand

from delivery.accounts import rotate_credentials


class Command(BaseCommand):
    help = "Encrypts again, with the first of CREDENTIAL_KEYS, what provider accounts hold under another."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{rotate_credentials()} accounts encrypted anew")
