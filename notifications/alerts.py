"""Telling a tenant's operators that deliveries fail for a reason that is theirs to mend, not the recipient's.

At most once an hour for a cause, whatever happens in between: the row that says when is written in the
transaction that accepts the notification about it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery.models import PARKED, DeliveryStatus
from delivery.signals import Change
from notifications.intake import Refused, accept
from notifications.models import Notification
from notifications.requests import NewNotification
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant

logger = logging.getLogger(__name__)

QUIET = dt.timedelta(hours=1)
_RECIPIENTS_OWN = {"address_refused", "expired", "canceled"}
"""Reasons that concern one recipient: they are counted in the reports, and nobody is woken."""


class Cause(NamedTuple):
    channel: str
    reason: str


Found = dict[Cause, list[UUID]]


def causes(changes: Sequence[Change]) -> Found:
    """What of a chunk's news is to be told, and which notifications each concerns."""
    found: Found = defaultdict(list)
    for change in changes:
        is_failed = change.status == DeliveryStatus.FAILED and change.reason not in _RECIPIENTS_OWN
        if is_failed or change.reason == PARKED:
            found[Cause(change.channel, change.reason)].append(change.notification_id)
    return found


def tell(tenant_id: UUID, found: Found) -> None:
    """Notify the tenant's alert recipients of each cause that they have not heard of for an hour.

    It comes after the settling that it speaks of, and never undoes it: a failure is logged, and the next
    chunk that fails tells again.
    """
    try:
        with tenant_scope(tenant_id):
            _tell(Tenant.objects.get(pk=tenant_id), found)
    except Exception:
        logger.exception("operators cannot be told", extra={"tenant": tenant_id})


def _tell(tenant: Tenant, found: Found) -> None:
    if not tenant.alert_recipients:
        return
    news = {cause: count for cause, ids in found.items() if (count := _without_alerts(ids))}
    fresh = [cause for cause in sorted(news) if _is_news(tenant.pk, cause)]
    requests = [_request(to, cause, news[cause]) for cause in fresh for to in tenant.alert_recipients]
    for answer in accept(tenant, requests) if requests else []:
        if isinstance(answer, Refused):
            logger.error("an alert is refused", extra={"tenant": tenant.pk, "code": answer.errors[0].code})


def _without_alerts(ids: Sequence[UUID]) -> int:
    """How many there are but for alerts: one that fails is no news, or it would tell of itself."""
    alerts = Notification.objects.filter(pk__in=ids, metadata__has_key="alert")
    return len(ids) - alerts.count()


_NEWS = """
    INSERT INTO notifications_alert AS known (id, tenant_id, cause, told_at) VALUES (%s, %s, %s, %s)
        ON CONFLICT (tenant_id, cause) DO UPDATE SET told_at = excluded.told_at
     WHERE known.told_at <= excluded.told_at - %s
    RETURNING id
"""


def _is_news(tenant_id: UUID, cause: Cause) -> bool:
    params: list[Any] = [new_id(), tenant_id, ": ".join(cause), timezone.now(), QUIET]
    with connection.cursor() as cursor:
        cursor.execute(_NEWS, params)
        return cursor.fetchone() is not None


def _request(to: str, cause: Cause, count: int) -> NewNotification:
    """By channels of our own choice: the failing one would not bring it."""
    channels = [channel for channel in ("in_app", "email") if channel != cause.channel]
    title, what, advice = _words(cause)
    how_many = "A delivery" if count == 1 else f"{count} deliveries"
    return NewNotification.model_validate(
        {
            "recipient": to,
            "category": "system",
            "type": "error",
            "priority": "high",
            "channels": channels,
            "content": {
                "subject": title,
                "title": title,
                "body": f"{how_many} by {cause.channel} {what}. More may follow; you hear of this again in "
                f"an hour. {advice}",
            },
            "metadata": {"alert": cause._asdict()},
        }
    )


def _words(cause: Cause) -> tuple[str, str, str]:
    """A title, what happened, and what to do."""
    if cause.reason == PARKED:
        return (
            f"Deliveries by {cause.channel} wait for their account",
            "just found every account refusing",
            "Mend the account: they go out by themselves then, and are dead letters after a day.",
        )
    return (
        f"Deliveries by {cause.channel} fail: {cause.reason}",
        f"just failed with the reason {cause.reason!r}",
        "Look at the dead letters, mend the cause, and put them back.",
    )
