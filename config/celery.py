import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

import config.correlation  # noqa: F401  its signals
from config.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("carillon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _end_with_the_worker(**kwargs: Any) -> None:
    """A worker that is killed cannot tell its pool, whose processes would stay and hold what they took."""
    die_with_parent()
