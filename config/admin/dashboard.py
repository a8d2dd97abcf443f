"""The front page: how it goes now, read off the newest rows and never off whole tables."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from config.overdue import delivery_overdue
from delivery.account_state import state_of
from delivery.models import WAITING, Delivery, DeliveryStatus, ProviderAccount
from preferences.admin.addresses import shown
from tenants.admin.base import STATUS_TONES

NEWEST = 1_000
"""How many rows a number on this page is read off at most."""
_SHOWN = 8

_ARRIVED = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """django-unfold's DASHBOARD_CALLBACK: what the template shows besides `given`."""
    if request.user.has_perm("delivery.view_delivery"):
        given |= _deliveries(timezone.now())
    if request.user.has_perm("delivery.view_provideraccount"):
        given |= {"accounts": _accounts()}
    return given


def _deliveries(now: dt.datetime) -> dict[str, Any]:
    newest = list(Delivery.objects.select_related("tenant").defer("payload").order_by("-pk")[:NEWEST])
    waiting = Delivery.objects.filter(status__in=WAITING).values_list("pk", flat=True)[: NEWEST + 1]
    dead = [row for row in newest if row.status == DeliveryStatus.FAILED]
    return {
        "newest": len(newest),
        "oldest": newest[-1].created_at if newest else None,
        "waiting": at_most(len(waiting)),
        "overdue": delivery_overdue(now),
        "arrived": _share(newest, _ARRIVED),
        "failed": _share(newest, (DeliveryStatus.FAILED,)),
        "took": _took(newest),
        "channels": _by_channel(newest),
        "dead_letters": [{"row": row, "masked": shown(row.channel, row.address)} for row in dead[:_SHOWN]],
    }


def at_most(found: int) -> str:
    """A number that was not counted past the limit: `1,000+`."""
    return f"{NEWEST:,}+" if found > NEWEST else f"{found:,}"


def _share(rows: Sequence[Delivery], statuses: Sequence[str]) -> float | None:
    """In percent; None of nothing."""
    return 100 * sum(row.status in statuses for row in rows) / len(rows) if rows else None


def _took(rows: Sequence[Delivery]) -> float | None:
    """The median time from planning to the provider's yes, in milliseconds."""
    times = [(row.sent_at - row.created_at).total_seconds() * 1000 for row in rows if row.sent_at]
    return median(times) if times else None


def _by_channel(rows: Sequence[Delivery]) -> list[dict[str, Any]]:
    """For each channel how its newest deliveries stand, as parts of a bar; the busiest first."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.channel, Counter())[row.status] += 1
    busiest = sorted(counts.items(), key=lambda item: -item[1].total())
    return [
        {
            "channel": channel,
            "total": found.total(),
            "parts": [
                {
                    "status": status,
                    "count": count,
                    "percent": 100 * count / found.total(),
                    "tone": STATUS_TONES.get(status, ""),
                }
                for status, count in found.most_common()
            ],
        }
        for channel, found in busiest
    ]


def _accounts() -> list[dict[str, Any]]:
    """The accounts in use, the sickest first."""
    rows = ProviderAccount.objects.select_related("tenant").filter(is_enabled=True).order_by("health")
    shown = [{"row": row, **state_of(row)} for row in rows[:NEWEST]]
    return sorted(shown, key=lambda account: account["percent"])[:_SHOWN]
