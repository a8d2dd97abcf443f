"""How a provider account is: its health, its last hour, and whose hand is on it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from delivery.accounts import snapshot
from delivery.models import ProviderAccount
from delivery.routing import BREAKER, DRAIN, PIN, Account
from delivery.vitals import Vitals, last_hour

TONES = {
    "well": "success",
    "recovering": "warning",
    "resting": "danger",
    "pinned": "info",
    "drained": "warning",
}


def state_of(account: ProviderAccount) -> dict[str, Any]:
    """How the account is now, having drifted back since its last failure."""
    now = timezone.now()
    routed = snapshot(account)
    health = routed.health_now(now)
    word = _word(routed, health, is_open=routed.is_open(now))
    return {
        "word": word,
        "tone": TONES[word],
        "percent": round(health * 100),
        "weight": round(routed.weight_now(now)),
        "breaker": round(BREAKER * 100),
        "is_open": routed.is_open(now),
        "well_at": routed.well_at(now),
        "reason": account.health_reason,
        "changed_at": account.health_at,
    }


def _word(account: Account, health: float, *, is_open: bool) -> str:
    if account.steering:
        return {PIN: "pinned", DRAIN: "drained"}[account.steering]
    return "resting" if is_open else "recovering" if health < 1 else "well"


def page_state(account: ProviderAccount) -> dict[str, Any]:
    """The state as the account's page shows it: with its last hour and who steers it."""
    vitals = last_hour([account.pk]).get(account.pk)
    return {**state_of(account), "hour": words(vitals) if vitals else "", "account": account}


def figures(vitals: Vitals) -> tuple[str, str]:
    """For a narrow column: `2.5% of 1200 failed` and `half within 100, 95% within 500 ms`."""
    return (
        f"{vitals.error_rate:.1%} of {vitals.calls} failed",
        f"half within {vitals.typical_ms}, 95% within {vitals.slow_ms} ms",
    )


def words(vitals: Vitals) -> str:
    """`2.5 % of 1200 calls failed, half within 100 ms, 95 % within 500 ms`"""
    return (
        f"{vitals.error_rate:.1%} of {vitals.calls} calls failed, "
        f"half within {vitals.typical_ms} ms, 95% within {vitals.slow_ms} ms"
    )
