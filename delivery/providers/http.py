"""One aiohttp session for a process's loop, and what a status or a broken connection means."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import orjson
from yarl import URL

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.guard import PrivateAddressError, guarded_connector

trace: ContextVar[str] = ContextVar("trace", default="")
"""The `traceparent` of calls made now (https://www.w3.org/TR/trace-context/), or empty. Dispatch sets it."""

LARGEST = 1 << 20
"""Bytes of an answer: vendors say what they have to in a few."""

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, aiohttp.ClientSession]] = (
    WeakKeyDictionary()
)


def session(*, guarded: bool = False) -> aiohttp.ClientSession:
    """The running loop's session: connections are kept and shared by every provider.

    There are two: one goes anywhere, as vendors' settings say; the guarded one to public addresses only.
    """
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    current = sessions.get(guarded)
    if current is None or current.closed:
        connector = guarded_connector() if guarded else _connector()
        current = sessions[guarded] = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            auto_decompress=True,
        )
    return current


def _connector() -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30)


async def close_session() -> None:
    for current in _sessions.pop(asyncio.get_running_loop(), {}).values():
        await current.close()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a `Retry-After` header (RFC 9110, section 10.2.3), which is a number or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - dt.datetime.now(dt.UTC)
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def kind_of_status(status: int) -> ErrorKind:
    """What an HTTP status says when the vendor's own code does not say more (RFC 9110, section 15)."""
    if status == 429:
        return ErrorKind.RATE_LIMITED
    if status in (408, 504):  # a gateway gave up waiting: the vendor may still have taken it
        return ErrorKind.UNKNOWN
    if status < 400 or status in _ACCOUNT:
        return ErrorKind.ACCOUNT
    return ErrorKind.TRANSIENT if status >= 500 else ErrorKind.ADDRESS


_ACCOUNT = {401, 402, 403, 404, 405, 407}
"""Credentials, payment, permission, and a base URL that leads elsewhere, as a redirect does."""


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(fields: Mapping[str, str]) -> bytes:
    """The body of a form post. yarl quotes in C: `urlencode` takes four times as long, and `FormData` ten."""
    return URL.build(query=fields).raw_query_string.encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a vendor answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's document; one that is none may come from a vendor that took the message."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ProviderError(ErrorKind.UNKNOWN, "the answer is no JSON", code="unreadable") from None

    def error(self) -> ProviderError:
        """What a status that is no success says by itself."""
        kind, wait = kind_of_status(self.status), retry_after(self.headers)
        return ProviderError(kind, f"HTTP {self.status}", code=str(self.status), retry_after=wait)


async def exchange(
    method: str,
    url: str | URL,
    *,
    timeout: float,  # noqa: ASYNC109
    headers: Mapping[str, str] | None = None,
    guarded: bool = False,
    largest: int = LARGEST,
    **options: Any,
) -> Reply:
    """Call a vendor over the shared session, with aiohttp's request options; `timeout` is in seconds.

    `guarded` is for a URL that somebody else chose: it must lead to a public address. An answer of more than
    `largest` bytes is read no further. Raises `ProviderError` when there is no answer; redirects are not
    followed.
    """
    if traceparent := trace.get():
        headers = {**(headers or {}), "traceparent": traceparent}
    try:
        async with session(guarded=guarded).request(
            method, url, timeout=_limits(timeout), allow_redirects=False, headers=headers, **options
        ) as response:
            return Reply(response.status, response.headers, await _body(response, largest))
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        broken = _broken(error)
        if guarded and broken.code == "bad_url":
            broken.kind = ErrorKind.ADDRESS  # the recipient's, not the account's
        raise broken from None


@cache
def _limits(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 5.0))


async def _body(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """One that is too long comes from nobody that we know: it may have taken the message."""
    length = response.content_length
    if length is not None and length <= largest and "Content-Encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > largest:
            raise ProviderError(ErrorKind.UNKNOWN, f"the answer exceeds {largest} bytes", code="too_large")
    return bytes(body)


def _broken(error: Exception) -> ProviderError:
    """What a failed exchange means: nothing was sent, or nobody knows."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return ProviderError(ErrorKind.ACCOUNT, "the URL is none", code="bad_url")
    if isinstance(error, aiohttp.ClientConnectorError) and _is_private(error.os_error):
        return ProviderError(ErrorKind.ADDRESS, "not a public address", code="private_address")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ProviderError(ErrorKind.TRANSIENT, "could not connect", code="connection_refused")
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorKind.UNKNOWN, "no answer in time", code="timeout")
    return ProviderError(ErrorKind.UNKNOWN, "the connection broke before an answer", code="connection_lost")


def _is_private(error: BaseException) -> bool:
    """Several addresses refused at once come as a group of errors."""
    inner: Sequence[BaseException] = getattr(error, "exceptions", ())
    return isinstance(error, PrivateAddressError) or (bool(inner) and all(map(_is_private, inner)))
