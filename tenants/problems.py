"""Errors as RFC 9457 problem details: one shape for every refusal, whoever raises it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import orjson
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import defaults
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rest_framework import exceptions

from tenants.logging import request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE = (OperationalError, InterfaceError, RedisConnectionError, RedisTimeoutError)
_PAGES = ("/admin/", "/static/", "/unsubscribe/", "/preferences/")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong in a body, and where: `pointer` is a JSON pointer (RFC 6901) into it."""

    pointer: str
    code: str
    detail: str


class Problem(exceptions.APIException):
    """A refusal with a stable `code`; raise it from anywhere below a view."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        scheme: str = "Bearer",
    ) -> None:
        """`scheme` is how to log in, where the status is 401 (RFC 9110, section 11.6.1)."""
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.text = detail
        self.errors = list(errors)
        self.retry_after = retry_after
        self.scheme = scheme

    def body(self) -> dict[str, Any]:
        return {
            "type": f"urn:carillon:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status_code,
            "detail": self.text,
            "code": self.code,
            "errors": [asdict(error) for error in self.errors],
            "request_id": request_id.get(),
        }

    def headers(self) -> dict[str, str]:
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after)))
        if self.status_code == 401:
            headers["WWW-Authenticate"] = self.scheme
        return headers


def invalid(errors: Sequence[FieldError]) -> Problem:
    detail = errors[0].detail if len(errors) == 1 else f"The request has {len(errors)} errors."
    return Problem(400, "validation_error", detail, errors=errors)


def internal_error() -> Problem:
    return Problem(500, "internal_error", "Something went wrong on our side.")


NOT_FOUND = Problem(404, "not_found", "There is no such thing here.")
FORBIDDEN = Problem(403, "permission_denied", "The credentials do not allow this.")
METHOD_NOT_ALLOWED = Problem(405, "method_not_allowed", "This address does not take that method.")
BAD_REQUEST = Problem(400, "bad_request", "The request cannot be understood.")
TOO_LARGE = Problem(413, "body_too_large", "The body is larger than this endpoint takes.")

_BY_TYPE: list[tuple[tuple[type[BaseException], ...], Problem]] = [
    ((exceptions.NotAuthenticated,), Problem(401, "not_authenticated", "No credentials were given.")),
    ((exceptions.AuthenticationFailed,), Problem(401, "not_authenticated", "The credentials are not valid.")),
    ((exceptions.PermissionDenied, PermissionDenied), FORBIDDEN),
    ((exceptions.NotFound, Http404), NOT_FOUND),
    ((exceptions.MethodNotAllowed,), METHOD_NOT_ALLOWED),
    (
        (exceptions.NotAcceptable,),
        Problem(406, "not_acceptable", "None of the accepted media types is ours."),
    ),
    (
        (exceptions.UnsupportedMediaType,),
        Problem(415, "unsupported_media_type", "This endpoint does not take bodies of that media type."),
    ),
    ((exceptions.ParseError,), Problem(400, "malformed_body", "The body is not what its media type says.")),
    ((RequestDataTooBig,), TOO_LARGE),
    ((SuspiciousOperation, BadRequest), BAD_REQUEST),
    (
        UNAVAILABLE,
        Problem(
            503,
            "unavailable",
            "A service behind this one is away. Try again; an Idempotency-Key makes that safe.",
            retry_after=1,
        ),
    ),
]


def problem_for(error: BaseException) -> Problem | None:
    """The problem that an exception means, or None when it is a defect of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UNAVAILABLE):
        logger.warning("a service is away", exc_info=error)
    if isinstance(error, exceptions.Throttled):
        return Problem(
            429, "rate_limited", "Too many requests.", retry_after=getattr(error, "wait", None) or 1
        )
    if isinstance(error, exceptions.ValidationError):
        return invalid(list(_serializer_errors(error.detail, "")))
    return next((problem for types, problem in _BY_TYPE if isinstance(error, types)), None)


def _serializer_errors(detail: Any, pointer: str) -> Iterator[FieldError]:
    """DRF nests its errors as the body is nested; `non_field_errors` speak of the object around them."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            yield from _serializer_errors(
                inner, pointer if key == "non_field_errors" else f"{pointer}/{escape(key)}"
            )
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _serializer_errors(inner, f"{pointer}/{index}" if isinstance(inner, dict) else pointer)
    else:
        yield FieldError(pointer, getattr(detail, "code", "invalid"), str(detail))


def escape(token: object) -> str:
    """A JSON pointer's reference token (RFC 6901, section 3)."""
    return str(token).replace("~", "~0").replace("/", "~1")


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's hook: a known error becomes a problem; an unknown one goes on to `ProblemMiddleware`."""
    problem = problem_for(error)
    return None if problem is None else problem_response(problem)


def problem_response(problem: Problem) -> HttpResponse:
    body = orjson.dumps(problem.body())
    return HttpResponse(body, CONTENT_TYPE, problem.status_code, headers=problem.headers())


def is_page(request: HttpRequest) -> bool:
    """Whether people look at what is answered here, rather than programs."""
    return request.path.startswith(_PAGES)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_page(request):
        return defaults.bad_request(request, exception)
    return problem_response(problem_for(exception) or BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return defaults.permission_denied(request, exception) if is_page(request) else problem_response(FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return defaults.page_not_found(request, exception) if is_page(request) else problem_response(NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """For what a middleware raised: Django calls this while it handles the exception."""
    if is_page(request):
        return defaults.server_error(request)
    error = sys.exception()
    return problem_response((problem_for(error) if error else None) or internal_error())
