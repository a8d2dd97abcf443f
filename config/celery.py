import os
import sys
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_init
from django.db import connections
from kombu.transport import TRANSPORT_ALIASES

import config.correlation  # noqa: F401  its signals
from config.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "config.transport:Transport")

app = Celery("carillon")
app.config_from_object("django.conf:settings", namespace="CELERY")
if "beat" not in sys.argv:  # it rings for tasks by their names: to import them all would cost it 40 MB
    app.autodiscover_tasks()
# Else Celery closes the database connection before and after each task, and the first statement of each waits
# for a new backend: 5 ms and more of PostgreSQL's time. They are kept as Django keeps a web thread's (below).
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@task_prerun.connect
@task_postrun.connect
def _check_connections(**kwargs: Any) -> None:
    """Drop a connection that broke or is too old (CONN_MAX_AGE); have the others checked before their use."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


@worker_process_init.connect
def _end_with_the_worker(**kwargs: Any) -> None:
    """A worker that is killed cannot tell its pool, whose processes would stay and hold what they took."""
    die_with_parent()
