"""The installation as it is, but that every message of its broker is published twice.

Web, workers and beats are started with this module instead of `config`. Both copies are real messages, taken
by whichever worker asks next, often at the same time. How often each task ran is counted in Valkey.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import redis
from celery.signals import task_prerun
from django.conf import settings

from config.celery import app
from notifications.tests.survival.stack import RUNS

_send = app.amqp.send_task_message


def _send_twice(*args: Any, **options: Any) -> Any:
    _send(*args, **options)
    return _send(*args, **options)


app.amqp.send_task_message = _send_twice  # type: ignore[misc]


@task_prerun.connect
def _count(task_id: str, task: Any, **options: Any) -> None:
    _client().hincrby(RUNS, f"{task.name} {task_id}", 1)


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)
