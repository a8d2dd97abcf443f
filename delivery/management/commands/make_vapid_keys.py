from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from py_vapid import Vapid02
from py_vapid.utils import b64urlencode

from delivery.providers.push.vapid import public_key


class Command(BaseCommand):
    help = "Makes a key pair for Web Push (VAPID, RFC 8292). Nothing is stored."

    def handle(self, **options: Any) -> None:
        pair = Vapid02()
        pair.generate_keys()
        private = pair.private_key.private_numbers().private_value.to_bytes(32, "big")
        self.stdout.write(f"private key: {b64urlencode(private)}")
        self.stdout.write(f"public key:  {public_key(pair)}")
        self.stdout.write(
            "The private one belongs into the provider account and nowhere else; the site gives"
        )
        self.stdout.write(
            "the public one to browsers, as applicationServerKey. Another pair ends every subscription."
        )
