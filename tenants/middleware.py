"""Around every request: its id and trace, its rate limit, and a problem document for whatever goes wrong.

Written for the synchronous chain that `config.handler` runs in one thread.
"""

import logging
import re
from collections.abc import Callable
from math import ceil

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from tenants.ids import new_id
from tenants.problems import METHOD_NOT_ALLOWED, internal_error, is_page, problem_for, problem_response
from tenants.throttling import RateLimit
from tenants.tracing import continue_trace, correlated

logger = logging.getLogger(__name__)

_WELL_FORMED = re.compile(r"[\x21-\x7e]{1,128}")

GetResponse = Callable[[HttpRequest], HttpResponse]


def request_id_from(given: str) -> str:
    """The caller's, if it can stand in a log and in a header; else one of ours."""
    return given if _WELL_FORMED.fullmatch(given) else str(new_id())


class RequestContextMiddleware:
    """Takes or makes `X-Request-ID`, keeps it for the logs, gives it back; continues the caller's trace."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        current = request_id_from(request.headers.get("X-Request-ID", ""))
        with correlated(current, continue_trace(request.headers.get("traceparent", ""))):
            response = self.get_response(request)
        response["X-Request-ID"] = current
        return response


class RateLimitMiddleware:
    """`RateLimit-*` on every answer whose request was counted, refused ones too.

    Names and meanings: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        limit: RateLimit | None = getattr(request, "rate_limit", None)
        if limit is not None:
            response["RateLimit-Limit"] = str(limit.amount)
            response["RateLimit-Remaining"] = str(limit.remaining)
            response["RateLimit-Reset"] = str(ceil(limit.reset_in))
        return response


class ProblemMiddleware:
    """Whatever a view lets escape becomes a problem document; pages for people keep Django's own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not is_page(request):
            allowed = response["Allow"]
            response = problem_response(METHOD_NOT_ALLOWED)
            response["Allow"] = allowed
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if is_page(request):
            return None
        problem = problem_for(error)
        if problem is None:
            logger.error("unhandled error", exc_info=error)
            problem = internal_error()
        return problem_response(problem)
