"""`/health`, `/health/ready`, `/metrics`: for orchestrators, load balancers and Prometheus."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.exceptions import NotAuthenticated

from config import metrics as prometheus
from config import readiness
from config.readiness import Check
from notifications.realtime.subscription import doors
from tenants.problems import CONTENT_TYPE, Problem

logger = logging.getLogger(__name__)


class Standing:
    """Which checks failed when this process was last asked. However often it is, a change is logged once."""

    def __init__(self) -> None:
        self._failed = ""

    def note(self, failed: Sequence[Check]) -> None:
        names = ",".join(check.name for check in failed)
        before, self._failed = self._failed, names
        if names and names != before:
            logger.warning("not ready", extra={"failed": names})
        elif before and not names:
            logger.info("ready again")


standing = Standing()


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked: a restart mends no engine."""
    return HttpResponse(b'{"status":"ok"}', content_type="application/json")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200, or a 503 problem document that names each check and the reason of those that failed."""
    checks = [*readiness.check_all(), *_ending()]
    listed = {check.name: "ok" if check.ok else check.reason for check in checks}
    failed = [check for check in checks if not check.ok]
    standing.note(failed)
    if not failed:
        return HttpResponse(orjson.dumps({"status": "ok", "checks": listed}), content_type="application/json")
    detail = "; ".join(f"{check.name}: {check.reason}" for check in failed)
    problem = Problem(503, "not_ready", detail)
    response = HttpResponse(orjson.dumps({**problem.body(), "checks": listed}), CONTENT_TYPE, 503)
    # Django would log each 503 as an error, unless somebody has logged it.
    log_response("not ready", response=response, request=request, logger=logger, level="debug")
    return response


def _ending() -> list[Check]:
    """A load balancer that asks sends nobody any more to a process that has been told to end."""
    return [Check("web", "this process is about to end")] if doors.closing else []


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if settings.METRICS_TOKEN and not _holds_token(request):
        raise NotAuthenticated
    return HttpResponse(generate_latest(prometheus.registry), CONTENT_TYPE_LATEST)


def _holds_token(request: HttpRequest) -> bool:
    shown = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(shown, f"Bearer {settings.METRICS_TOKEN}".encode())
