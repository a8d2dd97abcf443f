"""What `doctor` looks at: settings, engines, migrations, clock, providers; each finding with its remedy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.utils import timezone

from config import readiness
from delivery.accounts import settings_of
from delivery.models import ProviderAccount
from delivery.providers.base import ProviderMisconfigured
from delivery.registry import UnknownProvider
from preferences import keyed, rotation
from tenants.models import Tenant

Verdict = Literal["ok", "warning", "error"]

_REMEDIES = {
    "database": "Start PostgreSQL, or correct DATABASE_URL.",
    "migrations": "Run `python manage.py migrate`.",
    "broker": "Start Valkey (or Redis), or correct REDIS_URL.",
    "live_feed": "Start Valkey (or Redis), or correct REDIS_URL; its ACL must allow PUBLISH and SUBSCRIBE.",
    "beat": "Start `celery -A config beat` and `celery -A config worker`, or all with `manage.py up`.",
    "oldest_delivery": "Start more workers; see docs/operations.md.",
    "oldest_notification": "Start more workers; see docs/operations.md.",
}
_DRIFT = dt.timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    verdict: Verdict
    detail: str = ""
    remedy: str = ""


def findings() -> Iterator[Finding]:
    yield from _settings()
    yield from _services()
    try:
        yield _clock()
        yield from _providers()
        yield _suppressions()
    except DatabaseError:
        yield Finding(
            "clock, providers", "warning", "not looked at: the database is away", _REMEDIES["database"]
        )


def _settings() -> Iterator[Finding]:
    messages = [
        message
        for message in checks.run_checks(include_deployment_checks=True)
        if str(message.id).startswith("carillon.")
    ]
    for message in messages:
        yield Finding("settings", _verdict(message.level), message.msg, message.hint or "")
    if not messages:
        yield Finding("settings", "ok")


def _verdict(level: int) -> Verdict:
    if level >= checks.ERROR:
        return "error"
    return "warning" if level >= checks.WARNING else "ok"


def _services() -> Iterator[Finding]:
    for check in readiness.check_all(deadline=5.0):
        verdict: Verdict = "ok" if check.ok else "error"
        yield Finding(check.name, verdict, check.reason, "" if check.ok else _REMEDIES[check.name])


def _clock() -> Finding:
    """Everything due is found by comparing our clock with times that other machines wrote."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
    drift = abs(timezone.now() - theirs)
    if drift <= _DRIFT:
        return Finding("clock", "ok")
    detail = f"{drift.total_seconds():.1f} s apart from the database's"
    return Finding("clock", "error", detail, "Let both machines follow the same time server (NTP).")


def _providers() -> Iterator[Finding]:
    if not Tenant.objects.exists():
        yield Finding("tenants", "warning", "there is none", "python manage.py create_tenant SLUG")
    enabled = list(ProviderAccount.objects.filter(is_enabled=True).select_related("tenant"))
    if not enabled:
        remedy = "Add one in the admin, or run `manage.py seed` for the demo tenant."
        yield Finding("provider accounts", "warning", "there is none: only in-app messages get out", remedy)
    for account in enabled:
        yield _account(account)


def _suppressions() -> Finding:
    """Who is known only by a key that is gone would be written to again."""
    try:
        gone = rotation.left() - keyed.ring().keys()
    except ImproperlyConfigured as error:
        return Finding("suppressions", "error", str(error), "See .env.example.")
    if not gone:
        return Finding("suppressions", "ok")
    detail = f"hashed with {', '.join(sorted(gone))}, of which there is no key: they are not heeded"
    return Finding("suppressions", "error", detail, "Put the key back into SUPPRESSION_KEYS, last.")


def _of_key(account: ProviderAccount) -> str:
    """Where the key may be what is missing."""
    known = {entry.partition(":")[0] for entry in settings.CREDENTIAL_KEYS}
    if not account.secrets or account.secrets_key_id in known:
        return ""
    return f" Or put the key {account.secrets_key_id} back into CREDENTIAL_KEYS, last."


def _account(account: ProviderAccount) -> Finding:
    what = f"account {account.name}" + (f" of {account.tenant.slug}" if account.tenant else "")
    try:
        settings_of(account)
    except (ProviderMisconfigured, UnknownProvider) as error:
        return Finding(what, "error", str(error), "Correct its settings in the admin." + _of_key(account))
    except ImproperlyConfigured as error:
        return Finding(what, "error", str(error), "See .env.example." + _of_key(account))
    if account.health < 0.5:
        detail = account.health_reason or "it has been failing"
        return Finding(
            what, "warning", detail, "Use 'test connection' in the admin; it drifts back by itself."
        )
    return Finding(what, "ok", f"{account.channel} by {account.provider}")
