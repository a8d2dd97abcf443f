"""Links by which a person leaves a category, or opens their preferences, without logging in anywhere.

A link's token is all that it needs: who is meant, of which tenant, on which channel, about which category.
It is sealed by AES-SIV (RFC 5297), so nobody else can make one, and an address in it stands in no proxy's
log. The same link always has the same token. Its key is made from `SECRET_KEY`; those before it are named in
`SECRET_KEY_FALLBACKS`, and their links live as long as they are.

To leave is possible for as long as the mail is kept: https://www.rfc-editor.org/rfc/rfc8058 knows no end, and
the law of some countries asks for months. A link opens the preferences only until the time that stands in it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import struct
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.utils.crypto import salted_hmac

_FORMAT = 1
_HEAD = struct.Struct(">B16s16sI")  # format, tenant, recipient, end
_NOBODY = bytes(16)
LONGEST = 1024
"""Characters of a token that are looked at: four times the longest we make for an address of usual length."""


@dataclass(frozen=True, slots=True)
class Link:
    """`recipient_id` is None for somebody who was described in a request and is not stored.

    `category` and `channel` are what can be left by it, empty where the link is for the preferences alone.
    `address` is where the link was sent to. `until` is when it opens the preferences no more, to the second.
    """

    tenant_id: UUID
    recipient_id: UUID | None
    until: dt.datetime
    channel: str = ""
    category: str = ""
    address: str = ""

    def opens_preferences(self, now: dt.datetime) -> bool:
        return self.recipient_id is not None and now < self.until


def seal(link: Link) -> str:
    """The link's token: URL-safe, some 120 characters. Ten microseconds."""
    whom = link.recipient_id.bytes if link.recipient_id else _NOBODY
    head = _HEAD.pack(_FORMAT, link.tenant_id.bytes, whom, int(link.until.timestamp()))
    said = f"{link.channel}\0{link.category}\0{link.address}".encode()
    sealed = _ring()[0].encrypt(head + said, None)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(token: str) -> Link | None:
    """The link of the token; None when we made no such token, or have forgotten the key."""
    opened = _opened(token) if len(token) <= LONGEST else None
    if opened is None or opened[0] != _FORMAT:
        return None
    _, tenant, whom, end = _HEAD.unpack_from(opened)
    channel, category, address = opened[_HEAD.size :].decode().split("\0")
    return Link(
        tenant_id=UUID(bytes=tenant),
        recipient_id=None if whom == _NOBODY else UUID(bytes=whom),
        until=dt.datetime.fromtimestamp(end, dt.UTC),
        channel=channel,
        category=category,
        address=address,
    )


def unsubscribe_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/unsubscribe/{token}"


def preferences_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/preferences/{token}"


def end_of_mail_links(now: dt.datetime) -> dt.datetime:
    """Until when a mail of today opens the preferences: a midnight, so that all of a day are alike."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + dt.timedelta(days=settings.PREFERENCE_LINK_DAYS + 1)


def _opened(token: str) -> bytes | None:
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    for cipher in _ring():
        try:
            return cipher.decrypt(sealed, None)
        except (InvalidTag, ValueError):
            continue
    return None


def _ring() -> tuple[AESSIV, ...]:
    return _ciphers((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@cache
def _ciphers(secrets: tuple[str, ...]) -> tuple[AESSIV, ...]:
    """One a secret; 64 bytes are two keys of AES-256."""
    keys = (salted_hmac("carillon.preferences.links", b"", secret, algorithm="sha512") for secret in secrets)
    return tuple(AESSIV(key.digest()) for key in keys)
