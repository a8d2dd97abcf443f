"""Who we are, said to a browser's push service: https://www.rfc-editor.org/rfc/rfc8292"""

from __future__ import annotations

import time
from functools import lru_cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, VapidException
from py_vapid.utils import b64urlencode
from pydantic import SecretStr

_PERIOD = 6 * 3600
"""Seconds for which an authorization is used, of the 24 hours that one may live (section 2)."""


@lru_cache(maxsize=64)
def signer(key: SecretStr) -> Vapid02:
    """The private key, as 32 bytes in base64url or as PEM. Raises ValueError, which tells nothing of it."""
    text = key.get_secret_value().strip()
    try:
        is_pem = text.startswith("-----BEGIN")
        found = Vapid02.from_pem(text.encode()) if is_pem else Vapid02.from_string(text)
    except (ValueError, TypeError, VapidException):
        raise ValueError("this is not a VAPID private key") from None
    found.conf = {"no-strict": True}  # what a contact may be, the account's settings say
    return found


def public_key(pair: Vapid02) -> str:
    """What browsers subscribe with, their `applicationServerKey`: the point in base64url (section 3.2)."""
    point = pair.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    encoded: str = b64urlencode(point)
    return encoded


def authorization(key: SecretStr, subject: str, origin: str) -> str:
    """The Authorization header for a push service: the same for hours, so that nobody signs each message."""
    return _signed(key, subject, origin, (int(time.time()) // _PERIOD + 2) * _PERIOD)


@lru_cache(maxsize=1024)
def _signed(key: SecretStr, subject: str, origin: str, until: int) -> str:
    claims = {"aud": origin, "sub": subject, "exp": until}
    header: str = signer(key).sign(claims)["Authorization"]
    return header
