"""Rings, answered. Each takes ids, calls one function, and may be repeated or lost without harm."""

from uuid import UUID

from celery import shared_task
from celery.signals import worker_process_shutdown
from django.utils import timezone

from delivery import attachments, escalation, inbound, listening, loop, queue, receipts, recovery
from delivery import dispatch as dispatching


@shared_task(name="delivery.dispatch")
def dispatch(tenant_id: str, ids: list[str]) -> None:
    dispatching.run(UUID(tenant_id), [UUID(id) for id in ids])


@shared_task(name="delivery.release_due")
def release_due() -> None:
    queue.release_due(now=timezone.now())
    receipts.adopt()
    escalation.escalate_due(now=timezone.now())


@shared_task(name="delivery.recover_expired")
def recover_expired() -> None:
    recovery.recover_expired()


@shared_task(name="delivery.purge_attachments")
def purge_attachments() -> None:
    attachments.purge()


@shared_task(name="delivery.keep_listening")
def keep_listening() -> None:
    listening.keep(receipts.report)


@shared_task(name="delivery.forget_replies")
def forget_replies() -> None:
    inbound.forget()
    receipts.forget()


@worker_process_shutdown.connect
def close_loop(**kwargs: object) -> None:
    loop.close()
