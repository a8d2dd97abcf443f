"""Rings, answered. Each calls one function, and may be repeated or lost without harm."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from notifications import digest_closing, erasure, idempotency, release
from notifications import receivers as _receivers  # noqa: F401 - loaded before workers fork


@shared_task(name="notifications.plan")
def plan(tenant_id: str, ids: list[str]) -> None:
    release.plan(UUID(tenant_id), [UUID(id) for id in ids])


@shared_task(name="notifications.plan_waiting")
def plan_waiting() -> None:
    release.plan_waiting()


@shared_task(name="notifications.plan_due")
def plan_due() -> None:
    release.plan_due()


@shared_task(name="notifications.close_digests")
def close_digests() -> None:
    digest_closing.close_due(now=timezone.now())


@shared_task(name="notifications.forget_keys")
def forget_keys() -> None:
    idempotency.forget()


@shared_task(name="notifications.erase")
def erase(tenant_id: str, erasure_id: str) -> None:
    erasure.run(UUID(tenant_id), UUID(erasure_id), now=timezone.now())


@shared_task(name="notifications.erase_due")
def erase_due() -> None:
    erasure.run_due(now=timezone.now())
