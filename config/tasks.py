from celery import shared_task
from django.utils import timezone
from django_celery_beat.models import PeriodicTask


@shared_task(name="config.tick")
def tick() -> None:
    """Beat's heartbeat, stored by a worker: a recent one proves the clock, the broker and a worker at once.

    Beat itself writes `last_run_at` once in three minutes, too seldom to tell whether it lives. An update by
    query sends no signal, so beat does not read its schedule anew because of it.
    """
    PeriodicTask.objects.filter(task=tick.name).update(last_run_at=timezone.now())
