"""`GET /api/v1/users/me/stream`: who may have a stream, and from where on.

https://html.spec.whatwg.org/multipage/server-sent-events.html. An ASGI application of its own, on the loop: a
stream stays open for hours, and must not hold one of the threads in which requests are worked on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from notifications.realtime.stream import ANY_ORIGIN, Send, Stream
from notifications.realtime.subscription import (
    RESTART,
    TOO_MANY,
    TOO_SLOW,
    TRY_AGAIN,
    UNAUTHENTICATED,
    RefusedError,
    token_in_query,
)
from tenants.middleware import request_id_from
from tenants.problems import CONTENT_TYPE, METHOD_NOT_ALLOWED, FieldError, Problem, invalid
from tenants.tracing import continue_trace, correlated

PATH = "/api/v1/users/me/stream"

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_REFUSALS = {
    UNAUTHENTICATED: Problem(401, "not_authenticated", "The credentials are not valid."),
    TOO_MANY: Problem(429, "rate_limited", "The recipient has too many connections.", retry_after=30),
    TOO_SLOW: Problem(503, "unavailable", "More was pushed than can wait. Try again.", retry_after=1),
    RESTART: Problem(503, "unavailable", "This process is about to end.", retry_after=1),
    TRY_AGAIN: Problem(503, "unavailable", "The database is away. Try again.", retry_after=1),
}


async def event_stream(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    request_id = request_id_from(headers.get("x-request-id", ""))
    with correlated(request_id, continue_trace(headers.get("traceparent", ""))):
        try:
            if scope["method"] != "GET":
                raise METHOD_NOT_ALLOWED
            stream = Stream(send, _last_event_id(headers, scope))
            await _serve(stream, _token(headers, scope), request_id, receive)
        except RefusedError as refused:
            await _answer(send, _REFUSALS[refused.code], request_id)
        except Problem as problem:
            await _answer(send, problem, request_id)


async def _serve(stream: Stream, token: str | None, request_id: str, receive: Receive) -> None:
    try:
        await stream.open(token, [(b"x-request-id", request_id.encode())])
        tasks = [asyncio.create_task(stream.run()), asyncio.create_task(_departure(receive))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for task in done:
            task.result()
    finally:
        stream.subscription.leave()


async def _departure(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _token(headers: Mapping[str, str], scope: Mapping[str, Any]) -> str | None:
    """`Authorization: Bearer`, or `?token=` for browsers, whose EventSource sends no header of ours."""
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else token_in_query(scope)


def _last_event_id(headers: Mapping[str, str], scope: Mapping[str, Any]) -> int | None:
    """The header that a browser sends when it comes again; `?last_event_id=` says it at the first time."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    given = headers.get("last-event-id") or query.get("last_event_id", [""])[0]
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise invalid([FieldError("/last_event_id", "invalid", "Last-Event-ID is the number of an item.")])
    return int(given)


async def _answer(send: Send, problem: Problem, request_id: str) -> None:
    headers = {"Content-Type": CONTENT_TYPE, "X-Request-ID": request_id, **problem.headers()}
    if problem is METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET"
    raw = [ANY_ORIGIN, *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    body = orjson.dumps(problem.body())
    raw.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": problem.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": body})
