"""A ring carries the request id and the trace of the request it came from: worker lines are found by either.

Only a hint, as the ring itself: what the sweeper rings for again has lost it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

from tenants.logging import request_id
from tenants.tracing import correlated, traceparent

_REQUEST_ID, _TRACE = "carillon_request_id", "traceparent"


@before_task_publish.connect
def _attach(headers: dict[str, Any], **kwargs: Any) -> None:
    headers[_REQUEST_ID], headers[_TRACE] = request_id.get(), traceparent()


@task_prerun.connect
def _enter(task: Any, **kwargs: Any) -> None:
    given = task.request
    task.request.correlation = stack = ExitStack()
    stack.enter_context(correlated(given.get(_REQUEST_ID) or str(given.id), given.get(_TRACE) or ""))


@task_postrun.connect
def _leave(task: Any, **kwargs: Any) -> None:
    task.request.correlation.close()
