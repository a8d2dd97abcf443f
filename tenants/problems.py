"""Errors as RFC 9457 problem details: one shape for every refusal, whoever raises it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import exceptions
from rest_framework.response import Response

from tenants.logging import request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE = (OperationalError, InterfaceError, RedisConnectionError)


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
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.text = detail
        self.errors = list(errors)
        self.retry_after = retry_after

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
        headers = (
            {}
            if self.retry_after is None
            else {"Retry-After": str(max(1, round(self.retry_after)))}
        )
        return (
            {**headers, "WWW-Authenticate": "Bearer"}
            if self.status_code == 401
            else headers
        )


def invalid(errors: Sequence[FieldError]) -> Problem:
    detail = (
        errors[0].detail
        if len(errors) == 1
        else f"The request has {len(errors)} errors."
    )
    return Problem(400, "validation_error", detail, errors=errors)


_BY_TYPE: list[tuple[tuple[type[BaseException], ...], int, str, str]] = [
    (
        (exceptions.NotAuthenticated,),
        401,
        "not_authenticated",
        "No credentials were given.",
    ),
    (
        (exceptions.AuthenticationFailed,),
        401,
        "not_authenticated",
        "The credentials are not valid.",
    ),
    (
        (exceptions.PermissionDenied, PermissionDenied),
        403,
        "permission_denied",
        "The credentials do not allow this.",
    ),
    ((exceptions.NotFound, Http404), 404, "not_found", "There is no such thing here."),
    (
        (exceptions.UnsupportedMediaType,),
        415,
        "unsupported_media_type",
        "Send application/json.",
    ),
    (
        (RequestDataTooBig,),
        413,
        "body_too_large",
        "The body is larger than this endpoint takes.",
    ),
    (
        UNAVAILABLE,
        503,
        "unavailable",
        "A service behind this one is away. Nothing was stored; try again.",
    ),
]


def problem_for(error: BaseException) -> Problem | None:
    """The problem that an exception means, or None when it is a defect of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.Throttled):
        return Problem(
            429, "rate_limited", "Too many requests.", retry_after=error.wait or 1
        )
    for types, status, code, text in _BY_TYPE:
        if isinstance(error, types):
            if isinstance(error, UNAVAILABLE):
                logger.warning("a service is away", exc_info=error)
            return Problem(status, code, text, retry_after=1 if status == 503 else None)
    if isinstance(error, exceptions.APIException):
        return Problem(error.status_code, str(error.default_code), str(error.detail))
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: a known error becomes a problem; an unknown one goes on to `ProblemMiddleware`."""
    problem = problem_for(error)
    if problem is None:
        return None
    return Response(
        problem.body(),
        problem.status_code,
        headers=problem.headers(),
        content_type=CONTENT_TYPE,
    )


def problem_response(problem: Problem) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(problem.body()),
        status=problem.status_code,
        content_type=CONTENT_TYPE,
        headers=problem.headers(),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return problem_response(
        Problem(500, "internal_error", "Something went wrong on our side.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(Problem(404, "not_found", "There is no such thing here."))
