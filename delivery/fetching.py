"""Attachments that are named by a URL: fetched when a chunk goes out, once for all of its messages.

What was fetched is remembered for a few minutes, so that a batch of many chunks asks for it a few times and
not each time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection

from django.conf import settings

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.http import Reply, exchange

File = tuple[bytes, str]
"""Content and media type."""

_FRESH = 300.0  # seconds
_REMEMBERED = 64 << 20  # bytes in a process
_AT_ONCE = 10


class Memory:
    """Files by URL, the oldest forgotten first."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[float, File]] = OrderedDict()
        self._size = 0

    def get(self, url: str) -> File | None:
        fetched_at, file = self._files.get(url, (0.0, None))
        return file if time.monotonic() - fetched_at < _FRESH else None

    def put(self, url: str, file: File) -> None:
        self.drop(url)
        self._files[url] = (time.monotonic(), file)
        self._size += len(file[0])
        while self._size > _REMEMBERED:
            self.drop(next(iter(self._files)))

    def drop(self, url: str) -> None:
        if known := self._files.pop(url, None):
            self._size -= len(known[1][0])

    def clear(self) -> None:
        self._files.clear()
        self._size = 0


memory = Memory()


def fetch(urls: Collection[str]) -> dict[str, File | ProviderError]:
    """Each file, or why it could not be had; the URLs lead to public addresses only."""
    found: dict[str, File | ProviderError] = {url: file for url in urls if (file := memory.get(url))}
    missing = [url for url in urls if url not in found]
    if missing:
        found |= zip(missing, loop.run(_fetch_all(missing)), strict=True)
    return found


async def _fetch_all(urls: Collection[str]) -> list[File | ProviderError]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def fetched(url: str) -> File | ProviderError:
        async with slots:
            return await _fetch(url)

    return await asyncio.gather(*(fetched(url) for url in urls))


async def _fetch(url: str) -> File | ProviderError:
    timeout, largest = settings.NOTIFICATION_SEND_TIMEOUT, settings.ATTACHMENT_MAX_BYTES
    try:
        reply = await exchange("GET", url, timeout=timeout, guarded=True, largest=largest)
    except ProviderError as error:
        return _failure(error)
    if reply.status != 200:
        return _failure(reply.error())
    file = reply.body, _media_type(reply)
    memory.put(url, file)
    return file


def _media_type(reply: Reply) -> str:
    kind: str = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return "" if kind in {"application/octet-stream", "binary/octet-stream"} else kind


def _failure(error: ProviderError) -> ProviderError:
    """To fetch is to change nothing, so it may be tried again; what is refused stays so."""
    if error.code == "too_large":
        words = f"an attachment has more than {settings.ATTACHMENT_MAX_BYTES} bytes"
        return ProviderError(ErrorKind.ADDRESS, words, code="attachment_too_large")
    if error.kind in {ErrorKind.ADDRESS, ErrorKind.ACCOUNT}:
        words = f"an attachment cannot be fetched: {error.message}"
        return ProviderError(ErrorKind.ADDRESS, words, code="attachment_refused")
    words = f"an attachment cannot be fetched now: {error.message}"
    return ProviderError(ErrorKind.TRANSIENT, words, code="attachment_unavailable")
