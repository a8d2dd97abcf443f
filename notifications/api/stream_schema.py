"""The event stream in the OpenAPI document: it is no view of Django's, so no view describes it."""

from __future__ import annotations

from typing import Any

from notifications.realtime.streaming import PATH

_PROBLEMS = {
    "400": "Last-Event-ID is not a number.",
    "401": "The token is not good.",
    "429": "The recipient has too many connections at this process.",
    "503": "The database is away, or this process is about to end.",
}
_OPERATION: dict[str, Any] = {
    "operationId": "my_stream",
    "description": (
        "The live feed as server-sent events: the frames of the websocket, as `event` their type and as "
        "`data` their data. The `id` of an item is its `seq`. The first event is `connected`, the last "
        "`close` with the code that a websocket would be closed with. A comment comes every 15 seconds."
    ),
    "parameters": [
        {
            "in": "header",
            "name": "Last-Event-ID",
            "schema": {"type": "string"},
            "description": "Everything after the item with this number comes first. Browsers send it by "
            "themselves when they come again.",
        },
        {
            "in": "query",
            "name": "last_event_id",
            "schema": {"type": "string"},
            "description": "The same, for the first time.",
        },
        {
            "in": "query",
            "name": "token",
            "schema": {"type": "string"},
            "description": "A recipient's token, for browsers: their EventSource sends no Authorization.",
        },
    ],
    "tags": ["users"],
    "security": [{"recipientToken": []}, {}],
    "responses": {
        "200": {"description": "", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **{
            status: {"description": reason, "content": {"application/problem+json": {"schema": {}}}}
            for status, reason in _PROBLEMS.items()
        },
    },
}


def describe_stream(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A hook of drf-spectacular's: https://drf-spectacular.readthedocs.io/en/latest/customization.html"""
    result["paths"] = dict(sorted({**result["paths"], PATH: {"get": _OPERATION}}.items()))
    return result
