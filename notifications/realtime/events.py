"""Frames as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from typing import Any

import orjson

HEARTBEAT = b":\n\n"
"""A comment: proxies and the kernel see life, the page sees nothing."""


def event(frame_type: str, data: Any, *, id: int | None = None) -> bytes:
    """`data` as JSON, which has no line breaks. `id` is what a client asks on from when it comes again."""
    number = b"" if id is None else b"id: %d\n" % id
    text = orjson.dumps(data, option=orjson.OPT_UTC_Z)
    return b"event: %b\n%bdata: %b\n\n" % (frame_type.encode(), number, text)


def retry_in(seconds: float) -> bytes:
    """How long a browser waits before it comes again."""
    return b"retry: %d\n\n" % (seconds * 1000)
