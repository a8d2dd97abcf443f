"""Around every request: its id, and a problem document for whatever goes wrong."""

import logging
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tenants.ids import new_id
from tenants.logging import request_id
from tenants.problems import Problem, problem_for, problem_response

logger = logging.getLogger(__name__)

_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,128}")
_PAGES = ("/admin/", "/static/")

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestContextMiddleware:
    """Takes or makes `X-Request-ID`, keeps it for the logs, and gives it back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        current = given if _WELL_FORMED.fullmatch(given) else str(new_id())
        token = request_id.set(current)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = current
        return response


class ProblemMiddleware:
    """Whatever a view lets escape becomes a problem document; pages for people keep Django's own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        if request.path.startswith(_PAGES):
            return None
        problem = problem_for(error)
        if problem is None:
            logger.exception("unhandled error", exc_info=error)
            problem = Problem(
                500, "internal_error", "Something went wrong on our side."
            )
        return problem_response(problem)
