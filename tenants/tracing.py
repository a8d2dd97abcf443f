"""W3C trace context: the caller's trace is continued to the provider's call, so that one trace shows both.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tenants.logging import request_id

_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def traceparent() -> str:
    """What to send with a call made now: the caller's trace, a new parent id. "" outside any trace."""
    trace = _current.get()
    if not trace:
        return ""
    version, trace_id, _, flags = trace.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"


def continue_trace(given: str) -> str:
    """The caller's trace, in the version we speak; a new one, not sampled, for none or an invalid one."""
    parts = _FORMAT.fullmatch(given)
    if parts is None or not _is_valid(*parts.groups()):
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    _, trace_id, parent_id, flags, _ = parts.groups()
    return f"00-{trace_id}-{parent_id}-{flags}"


@contextmanager
def correlated(current_request_id: str, trace: str) -> Iterator[None]:
    """Inside, log lines carry the request's id and calls its trace."""
    request_token, trace_token = request_id.set(current_request_id), _current.set(trace)
    try:
        yield
    finally:
        _current.reset(trace_token)
        request_id.reset(request_token)


def _is_valid(version: str, trace_id: str, parent_id: str, flags: str, rest: str | None) -> bool:
    """Version 00 has four parts, later ones may have more; ff is forbidden, and so are ids of zeros alone."""
    return (
        version != "ff"
        and (rest is None or version != "00")
        and bool(trace_id.strip("0"))
        and bool(parent_id.strip("0"))
    )
