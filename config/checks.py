"""Misconfigurations that should be loud at start-up. `manage.py check --deploy` shows the last kind too.

An error stops every command; a warning is printed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from pydantic import ValidationError

from tenants.keyrings import flaw

INSECURE_PREFIX = "insecure-"
_KEY_HINT = "python -c \"import os, base64; print('k1:' + base64.b64encode(os.urandom(32)).decode())\""
_SIGNER_BYTES = 32
"""What HS256 asks of a key: RFC 7518, section 3.2."""
_SHOW_HOW = (
    'Set SECRET_KEY, e.g. to what `python -c "import secrets; print(secrets.token_urlsafe(48))"` prints.'
)


@register(Tags.security)
def check_keyrings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Each is a list of `id:base64(32 bytes)` with distinct ids, or left empty."""
    found = _malformed("CREDENTIAL_KEYS") + _malformed("SUPPRESSION_KEYS")
    if not settings.CREDENTIAL_KEYS:
        hint = f"Provider credentials cannot be kept without a key. Make one with: {_KEY_HINT}"
        found.append(checks.Warning("CREDENTIAL_KEYS is empty.", hint=hint, id="carillon.W001"))
    if not settings.SUPPRESSION_KEYS:
        hint = (
            f"Nobody can be told from those who asked for silence without a key. Make one with: {_KEY_HINT}"
        )
        found.append(Error("SUPPRESSION_KEYS is empty: nothing is sent.", hint=hint, id="carillon.E006"))
    return found


def _malformed(setting: str) -> list[CheckMessage]:
    entries: Sequence[str] = getattr(settings, setting)
    hint = f"Make one with: {_KEY_HINT}"
    found: list[CheckMessage] = [
        Error(f"{setting}: entry {number} {reason}.", hint=hint, id="carillon.E001")
        for number, entry in enumerate(entries, 1)
        if (reason := flaw(entry))
    ]
    ids = [entry.partition(":")[0] for entry in entries]
    if len(set(ids)) < len(ids):
        twice = Error(
            f"{setting}: an id stands there twice.", hint="Each key its own id.", id="carillon.E002"
        )
        found.append(twice)
    return found


@register(Tags.urls)
def check_public_url(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment):
        return []
    hint = "It is what vendors send receipts to, e.g. https://notify.example.com"
    return [
        Error(
            f"PUBLIC_URL is not an http(s) address: {settings.PUBLIC_URL!r}.", hint=hint, id="carillon.E003"
        )
    ]


@register(Tags.security)
def check_issuers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    from tenants.oidc import issuers  # noqa: PLC0415  its libraries would cost each worker 2 MB

    try:
        issuers()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        hint = "A JSON list of objects with issuer, audience, keys (an URL) and tenant (a slug)."
        return [Error(f"OIDC_ISSUERS: {where}: {first['msg']}.", hint=hint, id="carillon.E012")]
    return []


@register
def check_numbers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A lease must outlive the call that it protects, or a row is sent twice while all is well."""
    positive = [
        "NOTIFICATION_CHUNK_SIZE",
        "NOTIFICATION_SEND_CONCURRENCY",
        "NOTIFICATION_LEASE_SECONDS",
        "NOTIFICATION_SEND_TIMEOUT",
        "NOTIFICATION_RELEASE_WINDOW",
        "IDEMPOTENCY_HOURS",
        "RECIPIENT_TOKEN_SECONDS",
        "PREFERENCE_PAGES_PER_MINUTE",
        "RATE_LIMIT_PER_MINUTE",
        "DATA_UPLOAD_MAX_MEMORY_SIZE",
        "WEB_THREADS",
        "FEED_MAX_FRAME_BYTES",
        "FEED_FRAMES_PER_SECOND",
        "FEED_SOCKETS_PER_RECIPIENT",
        "FEED_PATIENCE_SECONDS",
        "FEED_HEARTBEAT_SECONDS",
    ]
    found: list[CheckMessage] = [
        Error(f"{name} must be more than 0.", hint=f"Correct {name}.", id="carillon.E004")
        for name in positive
        if getattr(settings, name) <= 0
    ]
    if settings.NOTIFICATION_LEASE_SECONDS < 2 * settings.NOTIFICATION_SEND_TIMEOUT:
        hint = "Raise NOTIFICATION_LEASE_SECONDS or lower NOTIFICATION_SEND_TIMEOUT."
        found.append(Error("The lease is shorter than two calls may last.", hint=hint, id="carillon.E005"))
    return found


def _signers() -> list[str]:
    """All that is believed, also what the former ones signed."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _is_everybodys(key: str) -> bool:
    return key.startswith(INSECURE_PREFIX)


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What is right for trying things out and wrong where others can reach it."""
    host = urlsplit(settings.PUBLIC_URL).hostname
    rules: Sequence[tuple[Callable[[], bool], CheckMessage]] = [
        (
            lambda: any(map(_is_everybodys, _signers())),
            Error("SECRET_KEY is the one that everybody knows.", hint=_SHOW_HOW, id="carillon.E010"),
        ),
        (
            lambda: any(len(key.encode()) < _SIGNER_BYTES for key in _signers() if not _is_everybodys(key)),
            checks.Warning(
                f"SECRET_KEY has less than {_SIGNER_BYTES} bytes: tokens signed by it can be guessed.",
                hint=_SHOW_HOW,
                id="carillon.W016",
            ),
        ),
        (
            lambda: settings.DEBUG,
            Error("DEBUG is on: error pages show settings.", hint="Set DEBUG=false.", id="carillon.E011"),
        ),
        (
            lambda: settings.DEMO,
            checks.Warning("DEMO is on: admin/admin may log in.", hint="Set DEMO=false.", id="carillon.W010"),
        ),
        (
            lambda: host in ("localhost", "127.0.0.1", "::1"),
            checks.Warning(
                "PUBLIC_URL is this machine: no vendor's receipts will arrive.",
                hint="Set PUBLIC_URL to the address that vendors reach.",
                id="carillon.W011",
            ),
        ),
        (
            lambda: not settings.PUBLIC_URL.startswith("https://"),
            checks.Warning(
                "PUBLIC_URL is not https: mail programs offer no button to unsubscribe (RFC 8058).",
                hint="Set PUBLIC_URL to an https address.",
                id="carillon.W014",
            ),
        ),
        (
            lambda: settings.PREFERENCE_LINK_DAYS < 60,
            checks.Warning(
                "PREFERENCE_LINK_DAYS is less than the 60 days that mailbox providers ask of such links.",
                hint="Raise PREFERENCE_LINK_DAYS.",
                id="carillon.W015",
            ),
        ),
        (
            lambda: host not in settings.ALLOWED_HOSTS and "*" not in settings.ALLOWED_HOSTS,
            checks.Warning(
                "ALLOWED_HOSTS lacks PUBLIC_URL's host.", hint=f"Add {host} to it.", id="carillon.W012"
            ),
        ),
        (
            lambda: not settings.METRICS_TOKEN,
            checks.Warning(
                "/metrics shows tenants' names and volumes to anybody.",
                hint="Set METRICS_TOKEN, or keep /metrics from the outside at your proxy.",
                id="carillon.W013",
            ),
        ),
    ]
    return [message for applies, message in rules if applies()]
