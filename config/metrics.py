"""What Prometheus scrapes: the installation's state, read from the engines that every process shares.

A scrape's cost does not grow with the tables. What lies open is read from partial indexes, what is counted is
counted over the last hour by a range of the primary key, whose UUIDv7 begin with the time; each family has a
second, and is left out of the scrape when it needs longer.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from config import overdue
from config.broker import queue_depths, valkey
from delivery.models import Delivery, ProviderAccount
from notifications.models import Intake, Notification
from notifications.realtime import presence
from tenants.context import installation_scope
from tenants.ids import first_id_at
from tenants.models import Tenant

logger = logging.getLogger(__name__)

WINDOW = dt.timedelta(hours=1)
_STATEMENT_TIMEOUT = "1s"

Family = Callable[[], Iterator[Metric]]


class StateCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        failed = GaugeMetricFamily(
            "carillon_scrape_failed", "1: the family could not be read this time.", labels=["family"]
        )
        for name, family in _FAMILIES.items():
            metrics = _read(name, family)
            failed.add_metric([name], float(metrics is None))
            yield from metrics or ()
        yield failed


def _read(name: str, family: Family) -> list[Metric] | None:
    try:
        return list(family())
    except (DatabaseError, RedisError) as error:
        logger.warning(
            "a family of metrics could not be read", extra={"family": name, "error": type(error).__name__}
        )
        return None


def _ledger() -> Iterator[Metric]:
    """What came in and what became of it; requests of this moment, or of an hour ago, can part them."""
    accepted = GaugeMetricFamily(
        "carillon_accepted_last_hour", "Notifications accepted in the last hour.", labels=["tenant"]
    )
    statuses = GaugeMetricFamily(
        "carillon_notifications_last_hour",
        "Notifications accepted in the last hour, by what became of them.",
        labels=["tenant", "status"],
    )
    with _bounded():
        slugs, since = _slugs(), first_id_at(timezone.now() - WINDOW)
        recent = (
            Intake.objects.filter(pk__gte=since).values_list("tenant").annotate(Sum("accepted")).order_by()
        )
        for tenant, total in recent:
            accepted.add_metric([_slug(slugs, tenant)], total)
        became = Notification.objects.filter(pk__gte=since).values_list("tenant", "status").order_by()
        for tenant, status, count in became.annotate(Count("pk")):
            statuses.add_metric([_slug(slugs, tenant), status], count)
    yield accepted
    yield statuses


def _deliveries() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "carillon_deliveries_last_hour",
        "Deliveries made in the last hour, by channel and by what became of them.",
        labels=["channel", "status"],
    )
    with _bounded():
        recent = Delivery.objects.filter(pk__gte=first_id_at(timezone.now() - WINDOW))
        for channel, status, count in (
            recent.values_list("channel", "status").annotate(Count("pk")).order_by()
        ):
            family.add_metric([channel, status], count)
    yield family


def _oldest() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "carillon_oldest_due_seconds",
        "How long the oldest row that is due has been waiting.",
        labels=["stage"],
    )
    with _bounded():
        now = timezone.now()
        family.add_metric(["plan"], overdue.oldest_unplanned(now).total_seconds())
        family.add_metric(["schedule"], overdue.schedule_overdue(now).total_seconds())
        family.add_metric(["digest"], overdue.digest_overdue(now).total_seconds())
        family.add_metric(["dispatch"], overdue.delivery_overdue(now).total_seconds())
    yield family


def _beat() -> Iterator[Metric]:
    with _bounded():
        last = overdue.last_tick()
    timestamp = last.timestamp() if last else 0.0
    yield GaugeMetricFamily("carillon_beat_last_tick_timestamp_seconds", "When beat last ticked.", timestamp)


def _accounts() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "carillon_provider_account_health",
        "Share of its weight that an enabled account keeps: 1 well, near 0 failing.",
        labels=["tenant", "account", "channel"],
    )
    with _bounded():
        enabled = ProviderAccount.objects.filter(is_enabled=True)
        for slug, name, channel, health in enabled.values_list("tenant__slug", "name", "channel", "health"):
            family.add_metric([slug or "", name, channel], health)
    yield family


def _queues() -> Iterator[Metric]:
    family = GaugeMetricFamily("carillon_queue_depth", "Rings waiting in the broker.", labels=["queue"])
    for queue, depth in queue_depths().items():
        family.add_metric([queue], depth)
    yield family


def _sockets() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "carillon_sockets",
        "Open sockets of the live feed, by web process.",
        labels=["process"],
    )
    with valkey(settings.REDIS_URL) as client:
        for process, sockets in presence.processes(client, now=timezone.now()).items():
            family.add_metric([process], sockets)
    yield family


@contextmanager
def _bounded() -> Iterator[None]:
    with installation_scope():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_STATEMENT_TIMEOUT])
        yield


def _slugs() -> Mapping[UUID, str]:
    return dict(Tenant.objects.values_list("pk", "slug"))


def _slug(slugs: Mapping[UUID, str], tenant: UUID) -> str:
    return slugs.get(tenant, str(tenant))


_FAMILIES: Mapping[str, Family] = {
    "ledger": _ledger,
    "deliveries": _deliveries,
    "oldest": _oldest,
    "beat": _beat,
    "accounts": _accounts,
    "queues": _queues,
    "sockets": _sockets,
}

registry = CollectorRegistry()
registry.register(StateCollector())
