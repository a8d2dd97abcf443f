"""Whose certificates an SMSC may show."""

from __future__ import annotations

import base64
import re
import ssl

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def trusting(authorities: str) -> ssl.SSLContext:
    """A context for those in PEM, whose line ends a form may have eaten, or for those the system trusts.

    Raises ValueError for what holds no certificate.
    """
    if not authorities:
        return ssl.create_default_context()
    certificates = b"".join(map(base64.b64decode, _CERTIFICATE.findall(authorities)))
    if not certificates:  # Python would take that for 'those the system trusts'
        raise ValueError("no certificate in PEM")
    try:
        return ssl.create_default_context(cadata=certificates)
    except (ssl.SSLError, ValueError):
        raise ValueError("no certificate in PEM") from None
