"""Chunks of notifications, and the mark by which a frame is known for one of a chunk's: pure."""

from __future__ import annotations

from collections.abc import Iterator

CHUNK = 200
"""As many as a worker settles at a time."""
NUMBER = 8
"""Digits of a chunk's number."""
MARK = b'"chunk":"'


def name(chunk: int) -> str:
    return f"{chunk:0{NUMBER}}"


def told(chunk: int, users: int) -> Iterator[int]:
    """Which users a chunk is for: everybody in turn."""
    return (number % users for number in range(chunk * CHUNK, (chunk + 1) * CHUNK))
